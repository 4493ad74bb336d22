// toast says one sentence at the corner of the page, and to screen readers. Kind is good, bad or nothing.
export function toast(text, kind = '') {
	let region = document.getElementById('toasts');
	if (!region) {
		region = document.createElement('div');
		region.id = 'toasts';
		region.setAttribute('role', 'status');
		region.setAttribute('aria-live', 'polite');
		document.body.append(region);
	}
	const one = document.createElement('p');
	one.className = `toast ${kind}`;
	one.textContent = text;
	const close = document.createElement('button');
	close.type = 'button';
	close.className = 'plain';
	close.setAttribute('aria-label', 'Dismiss');
	close.textContent = '×';
	close.addEventListener('click', () => one.remove());
	one.append(close);
	region.append(one);
	if (kind !== 'bad') setTimeout(() => one.remove(), 6000);
}
