// keysDialog shows the keys of the page: those of its template with id "keys".
export function keysDialog() {
	const open = document.querySelector('dialog.keys');
	if (open) {
		open.close();
		return;
	}
	const template = document.getElementById('keys');
	if (!template) return;
	const dialog = document.createElement('dialog');
	dialog.className = 'keys';
	dialog.append(template.content.cloneNode(true));
	dialog.addEventListener('close', () => dialog.remove());
	dialog.addEventListener('click', event => { if (event.target === dialog) dialog.close(); });
	document.body.append(dialog);
	dialog.showModal();
}
