// What was typed into a form with data-keep is not lost when the session ended meanwhile: the server asks to sign in and
// leads back to the form's page, where it is filled in again. It is kept in this tab alone, until the next page; never
// a password, and not for somebody else who signs in.
const place = 'tocsin-kept';
const here = () => location.pathname + location.search;
const user = () => document.querySelector('.bar a[href="/account"]')?.textContent ?? '';
const forms = () => [...document.querySelectorAll('form[data-keep]')];
const secret = field => field.type === 'password' || field.type === 'file' || !field.name;

document.addEventListener('submit', event => {
	const i = forms().indexOf(event.target);
	if (i < 0 || event.defaultPrevented) return;
	const fields = [...event.target.elements].filter(f => !secret(f) && f.tagName !== 'BUTTON').map(f => [f.name, f.value, Boolean(f.checked)]);
	try { sessionStorage.setItem(place, JSON.stringify({at: here(), form: i, user: user(), fields})); } catch { /* no room: it is not kept */ }
});

function fill(kept) {
	const form = forms()[kept.form];
	if (!form) return;
	for (const [name, value, checked] of kept.fields) {
		const field = [...form.elements].find(f => f.name === name && !secret(f) && (f.type !== 'radio' && f.type !== 'checkbox' || f.value === value));
		if (!field) continue;
		if (field.type === 'radio' || field.type === 'checkbox') field.checked = checked;
		else field.value = value;
	}
	const note = document.createElement('section');
	note.className = 'note warn';
	note.setAttribute('role', 'alert');
	const text = document.createElement('p');
	text.textContent = 'Nothing was saved: you had been signed out. What you wrote is below again.';
	note.append(text);
	form.before(note);
	note.scrollIntoView({block: 'nearest'});
}

let kept = null;
try { kept = JSON.parse(sessionStorage.getItem(place)); } catch { /* not ours: nothing is kept */ }
if (kept) {
	const signing = location.pathname === '/login';
	if (signing) sessionStorage.setItem(place, JSON.stringify({...kept, out: true}));
	else sessionStorage.removeItem(place);
	if (!signing && kept.out && kept.at === here() && kept.user === user()) fill(kept);
}
