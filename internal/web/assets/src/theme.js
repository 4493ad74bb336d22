// The switch of light and dark. The choice is a cookie, so that the server draws the page in it at once.
const root = document.documentElement;
const form = document.querySelector('form.theme');
const dark = matchMedia('(prefers-color-scheme: dark)');

form?.addEventListener('submit', event => {
	event.preventDefault();
	const now = root.dataset.theme || (dark.matches ? 'dark' : 'light');
	const next = now === 'dark' ? 'light' : 'dark';
	root.dataset.theme = next;
	document.cookie = `tocsin-theme=${next}; path=/; max-age=31536000; samesite=strict`;
	document.dispatchEvent(new CustomEvent('tocsin:theme'));
});
dark.addEventListener('change', () => document.dispatchEvent(new CustomEvent('tocsin:theme')));
