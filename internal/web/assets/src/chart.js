// The chart above the results: documents over time, or what each window came to and the threshold it is judged by.
import uPlot from 'uplot';
import {el, number, utc} from './dom.js';

const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const over = {'>': (v, t) => v > t, '>=': (v, t) => v >= t, '<': (v, t) => v < t, '<=': (v, t) => v <= t};

// lengthOf writes a length of time in milliseconds.
const lengthOf = ms => [[86400e3, 'd'], [3600e3, 'h'], [60e3, 'm'], [1e3, 's']].filter(([unit]) => ms % unit === 0).map(([unit, name]) => `${ms / unit}${name}`)[0] ?? `${ms}ms`;

// makeChart draws in a box. zoom(from, to) is called when a part is dragged over; threshold(value, final) while the
// line is moved.
export function makeChart(box, {zoom, threshold}) {
	let plot = null, line = null, data = null, chosen = null;
	const size = () => ({width: Math.max(240, box.clientWidth), height: 150});
	new ResizeObserver(() => plot?.setSize(size())).observe(box);
	document.addEventListener('tocsin:theme', () => draw());

	function clear() {
		plot?.destroy();
		plot = line = null;
		box.replaceChildren();
	}

	// counts draws a histogram.
	function counts(histogram) {
		data = {kind: 'counts', step: histogram.step_ms, from: Date.parse(histogram.earliest), to: Date.parse(histogram.latest), bars: new Map(histogram.bars.map(b => [b.t, b.n])), total: histogram.total};
		draw();
	}

	// windows draws the values of groups and the line.
	function windows(found) {
		chosen = null;
		data = {
			kind: 'windows', step: found.step_ms, from: Date.parse(found.earliest), to: Date.parse(found.latest), column: found.threshold.column, op: found.threshold.op, value: found.threshold.value,
			groups: found.groups.map(g => ({name: g.key.join(', ') || 'all', values: new Map(g.values.map(v => [v.t, v.v]))})),
		};
		draw();
	}

	function table() {
		const xs = [], ys = [];
		const start = Math.floor(data.from / data.step) * data.step;
		const groups = data.groups?.filter(g => chosen === null || g.name === chosen) ?? [];
		for (let t = start; t < data.to; t += data.step) {
			xs.push(t / 1000);
			if (data.kind === 'counts') ys.push(data.bars.get(t) ?? 0);
			else {
				const values = groups.map(g => g.values.get(t)).filter(v => v !== undefined);
				ys.push(values.length ? (data.op.startsWith('<') ? Math.min(...values) : Math.max(...values)) : null);
			}
		}
		return [xs, ys];
	}

	const above = v => v !== null && v !== undefined && data.kind === 'windows' && over[data.op](v, data.value);

	function draw() {
		if (!data) return;
		clear();
		const [xs, ys] = table();
		const greatest = Math.max(1, ...ys.filter(y => y !== null), data.kind === 'windows' ? data.value * 1.25 : 0);
		const split = () => [xs, ys.map(y => above(y) ? null : y), ys.map(y => above(y) ? y : null)];
		const bars = uPlot.paths.bars({size: [.86, 60], align: 1});
		const axis = {stroke: colour('--quiet'), grid: {stroke: colour('--line'), width: 1}, ticks: {stroke: colour('--line'), width: 1}, font: '12px system-ui, sans-serif'};
		plot = new uPlot({
			...size(), ms: 1e-3, tzDate: ts => uPlot.tzDate(new Date(ts * 1000), 'Etc/UTC'), legend: {show: false}, padding: [10, 8, 0, 0],
			cursor: {drag: {x: true, y: false, setScale: false}, points: {show: false}, y: false},
			scales: {x: {time: true, range: [xs[0], data.to / 1000]}, y: {range: [0, greatest * 1.08]}},
			axes: [{...axis, size: 26, values: (u, splits, i, space, step) => splits.map(t => label(t, step))}, {...axis, size: 52, values: (u, splits) => splits.map(v => Number.isInteger(v) ? compact(v) : '')}],
			series: [{}, {paths: bars, fill: colour('--chart'), width: 0, points: {show: false}}, {paths: bars, fill: colour('--chart-over'), width: 0, points: {show: false}}],
			hooks: {
				setSelect: [u => {
					if (u.select.width < 4) return;
					zoom(u.posToVal(u.select.left, 'x') * 1000, u.posToVal(u.select.left + u.select.width, 'x') * 1000);
					u.setSelect({left: 0, width: 0, top: 0, height: 0}, false);
				}],
				setCursor: [u => tip(u, xs, ys)],
				draw: [() => line?.place()], // scales are known from the first drawing on
			},
		}, split(), box);
		plot.redata = () => plot.setData(split(), false);
		box.append(el('p', {class: 'chart-tip', hidden: true}));
		if (data.kind === 'windows') handle();
	}

	const compact = v => v >= 10000 ? new Intl.NumberFormat('en', {notation: 'compact'}).format(v) : number(v);
	function label(t, step) {
		const text = new Date(t * 1000).toISOString();
		return step >= 86400 ? text.slice(5, 10) : step >= 60 ? (text.slice(11, 16) === '00:00' ? text.slice(5, 10) : text.slice(11, 16)) : text.slice(11, 19);
	}

	function tip(u, xs, ys) {
		const out = box.querySelector('.chart-tip');
		if (!out) return;
		const left = u.cursor.left;
		if (left < 0) { out.hidden = true; return; }
		const at = Math.floor((u.posToVal(left, 'x') * 1000 - xs[0] * 1000) / data.step);
		if (at < 0 || at >= xs.length) { out.hidden = true; return; }
		const t = xs[at] * 1000;
		let text = `${utc(t)} · ${number(ys[at] ?? 0)}`;
		if (data.kind === 'windows') {
			const values = data.groups.map(g => [g.name, g.values.get(t)]).filter(([, v]) => v !== undefined).sort((a, b) => b[1] - a[1]).slice(0, 4);
			text = `${utc(t)} · ${values.length ? values.map(([name, v]) => `${name} ${number(v)}`).join(', ') : 'nothing'}`;
		}
		out.textContent = text;
		out.hidden = false;
	}

	// handle puts the line over the plot: it is dragged, and moved by the arrow keys.
	function handle() {
		line = el('div', {class: 'threshold', role: 'slider', tabindex: '0', 'aria-orientation': 'vertical', 'aria-valuemin': '0', 'aria-label': `Threshold of ${data.column}`},
			el('span', {class: 'threshold-number'}));
		plot.over.append(line);
		const place = () => {
			line.style.top = `${plot.valToPos(data.value, 'y')}px`;
			line.setAttribute('aria-valuenow', data.value);
			line.setAttribute('aria-valuemax', Math.max(data.value, Math.ceil(plot.scales.y.max)));
			line.setAttribute('aria-valuetext', `${data.column} ${data.op} ${data.value}`);
			line.firstChild.textContent = `${data.op} ${number(data.value)}`;
		};
		line.place = place;
		place();
		const round = v => {
			const top = plot.scales.y.max;
			const step = top > 2000 ? 10 ** (Math.floor(Math.log10(top)) - 2) : top > 5 ? 1 : .1;
			return Math.max(0, Number((Math.round(v / step) * step).toFixed(2)));
		};
		const move = (value, final) => {
			data.value = value;
			place();
			plot.redata();
			threshold(value, final);
		};
		line.addEventListener('mousedown', event => event.stopPropagation()); // no zoom begins here
		line.addEventListener('pointerdown', event => {
			event.preventDefault();
			event.stopPropagation();
			line.focus();
			line.setPointerCapture(event.pointerId);
			const top = plot.over.getBoundingClientRect().top;
			const drag = e => move(round(plot.posToVal(Math.max(0, Math.min(plot.over.clientHeight, e.clientY - top)), 'y')), false);
			const end = () => {
				line.removeEventListener('pointermove', drag);
				threshold(data.value, true);
				if (data.value > plot.scales.y.max * .93 || data.value < plot.scales.y.max * .1) draw(); // room to drag on
			};
			line.addEventListener('pointermove', drag);
			line.addEventListener('pointerup', end, {once: true});
			line.addEventListener('pointercancel', end, {once: true});
		});
		line.addEventListener('keydown', event => {
			const step = {ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10}[event.key];
			if (!step) return;
			event.preventDefault();
			move(Math.max(0, data.value + step), true);
			if (data.value > plot.scales.y.max) { draw(); line.focus(); }
		});
	}

	return {
		counts, windows, clear() { data = null; clear(); },
		get kind() { return data?.kind; },
		get total() { return data?.total ?? 0; },
		get step() { return lengthOf(data?.step ?? 0); },
		// moved follows a number that was changed in the text.
		moved(value, op) {
			if (data?.kind !== 'windows' || (data.value === value && data.op === op)) return;
			data.value = value;
			data.op = op;
			if (!(value <= plot.scales.y.max)) draw();
			else { line.place(); plot.redata(); }
		},
		// groups are the names of those drawn, how many of their windows are over the line, and the furthest of their values.
		groups() {
			if (data?.kind !== 'windows') return [];
			return data.groups.map(g => {
				const values = [...g.values.values()];
				return {name: g.name, over: values.filter(above).length, furthest: values.length ? (data.op.startsWith('<') ? Math.min(...values) : Math.max(...values)) : 0};
			}).sort((a, b) => data.op.startsWith('<') ? a.furthest - b.furthest : b.furthest - a.furthest);
		},
		choose(name) { chosen = chosen === name ? null : name; draw(); return chosen; },
	};
}
