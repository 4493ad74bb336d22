// Requests to the API, the only thing the pages use.

// Failure is an answer that is not what was asked for. Body may have problems, with their places.
export class Failure extends Error {
	constructor(status, body) {
		super(body?.error || `The server answered ${status}.`);
		this.status = status;
		this.body = body ?? {};
	}
}

// parse reads JSON, and keeps whole numbers that JavaScript cannot hold as their text.
export function parse(text) {
	return JSON.parse(text, (key, value, context) =>
		typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value) && context?.source ? context.source : value);
}

export async function ask(method, path, body, signal) {
	let response;
	try {
		response = await fetch(`/api/v1${path}`, {
			method, signal, headers: body === undefined ? {} : {'Content-Type': 'application/json'},
			body: body === undefined ? undefined : JSON.stringify(body), credentials: 'same-origin',
		});
	} catch (error) {
		if (error.name === 'AbortError') throw error;
		throw new Failure(0, {error: 'The server did not answer. Is tocsin running?'});
	}
	if (response.status === 401) {
		throw new Failure(401, {error: 'Your session is over: sign in again in another tab, then go on here.'});
	}
	const text = await response.text();
	let parsed = null;
	try { parsed = parse(text); } catch { /* not JSON: the status is said */ }
	if (!response.ok || parsed === null) throw new Failure(response.status, parsed);
	return parsed;
}
