// el makes an element: its attributes, listeners (names that begin with on) and children. Text becomes a text node,
// never markup.
export function el(tag, attributes = {}, ...children) {
	const node = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes)) {
		if (value === undefined || value === null || value === false) continue;
		if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
		else if (name === 'class') node.className = value;
		else if (name === 'value') node.value = value;
		else node.setAttribute(name, value === true ? '' : value);
	}
	node.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false));
	return node;
}

// number writes a number for people.
export const number = n => new Intl.NumberFormat('en').format(n);

// utc writes a time in milliseconds as the pages do.
export const utc = ms => new Date(ms).toISOString().replace('T', ' ').replace(/\.000Z$|Z$/, '');
