// What a rule would have said, asked of the server as a stream that tells its progress.
import {Failure} from './api.js';

// backtest judges the past with a rule, and gives the last line of the answer: it has a backtest, or an error with
// problems. progress is called with a share from 0 to 1. Aborting the signal ends the work on the server.
export async function backtest(rule, range, signal, progress) {
	const response = await fetch('/api/v1/rules/backtests', {
		method: 'POST', signal, headers: {'Content-Type': 'application/json', Accept: 'application/x-ndjson'},
		body: JSON.stringify({content: JSON.stringify(rule), format: 'json', ...range}),
	});
	let rest = '', last = null;
	const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
	for (;;) {
		const {value, done} = await reader.read();
		if (value) rest += value;
		const lines = rest.split('\n');
		rest = done ? '' : lines.pop();
		for (const line of lines) {
			if (!line.trim()) continue;
			last = JSON.parse(line);
			if (typeof last.progress === 'number') progress(last.progress);
		}
		if (done) break;
	}
	if (!last || (!last.backtest && !last.error)) throw new Failure(response.status, last);
	return last;
}
