// The channel of a rule that is written as YAML: a field with the channels that are known, beside the text. Each follows
// the other.
const field = document.querySelector('[data-rule-channel]');
const text = document.querySelector('[data-rule-text]');
const line = /^channel:[ \t]*(.*?)[ \t]*$/m;

function plain(value) {
	const quoted = value.match(/^"((?:[^"\\]|\\.)*)"|^'((?:[^']|'')*)'/);
	if (quoted) return quoted[1]?.replace(/\\(.)/g, '$1') ?? quoted[2].replace(/''/g, "'");
	return value.replace(/(^|[ \t])#.*$/, '').trim();
}

if (field && text) {
	const box = field.querySelector('input');
	const read = () => { box.value = plain(text.value.match(line)?.[1] ?? ''); };
	box.addEventListener('input', () => {
		const value = box.value.trim();
		const written = `channel: ${JSON.stringify(value)}`;
		if (!value) text.value = text.value.replace(/^channel:.*(?:\n|$)/m, '');
		else if (line.test(text.value)) text.value = text.value.replace(line, () => written);
		else text.value = `${text.value.replace(/\n*$/, '')}\n${written}\n`;
	});
	text.addEventListener('input', read);
	read();
	field.hidden = false;
}
