// What the page does to the text of a search.

// filterEnd is where the filter of a search ends: at the first | outside of quotes and brackets.
export function filterEnd(text) {
	let depth = 0;
	for (let i = 0; i < text.length; i++) {
		const c = text[i];
		if (c === '\\') i++;
		else if (c === '"') { for (i++; i < text.length && text[i] !== '"'; i++) if (text[i] === '\\') i++; }
		else if (c === '[') depth++;
		else if (c === ']') depth = Math.max(0, depth - 1);
		else if (c === '|' && depth === 0) return i;
	}
	return text.length;
}

const quote = value => `"${String(value).replace(/["\\]/g, '\\$&')}"`;
const fieldName = name => name.replace(/[\\():<>"*{}\s]/g, '\\$&');

// isClause is the filter for one value of a field.
export function isClause(field, value) {
	if (value === null || value === '') return `not ${fieldName(field)}:*`;
	if (typeof value === 'number' || typeof value === 'boolean') return `${fieldName(field)}:${value}`;
	return `${fieldName(field)}:${/^[A-Za-z0-9_.@-]+$/.test(value) && !/^(and|or|not|true|false|null)$/i.test(value) ? value : quote(value)}`;
}

// withClause adds a condition to the filter of a search.
export function withClause(text, clause) {
	const end = filterEnd(text);
	let filter = text.slice(0, end).trim();
	const rest = text.slice(end);
	if (filter === '' || filter === '*') filter = clause;
	else if (filter.split(/\s+and\s+/i).includes(clause)) return text; // it is there already
	else filter = `${/\bor\b/i.test(filter) ? `(${filter})` : filter} and ${clause}`;
	return rest ? `${filter} ${rest}` : filter;
}

// countBy replaces the pipes of a search by a count.
export function countBy(text, field) {
	const filter = text.slice(0, filterEnd(text)).trim() || '*';
	return `${filter} | count by ${/^[\w.@-]+$/.test(field) ? field : `\`${field.replace(/[\\`]/g, '\\$&')}\``} | sort - count`;
}

// flatten makes a list of the dotted names and values of a document.
export function flatten(document) {
	const out = [];
	const walk = (name, value) => {
		if (value && typeof value === 'object' && !Array.isArray(value)) {
			for (const [key, inner] of Object.entries(value)) walk(name ? `${name}.${key}` : key, inner);
		} else if (Array.isArray(value) && value.some(inner => inner && typeof inner === 'object')) {
			value.forEach(inner => walk(name, inner));
		} else out.push([name, value]);
	};
	walk('', document);
	return out;
}
