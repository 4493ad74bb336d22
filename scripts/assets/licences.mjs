// licences.mjs PACKAGES DIR: writes the licence of each package under PACKAGES, a directory of packages that npm
// filled, into DIR, and a list of them.
import {cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';

const [packages, out] = process.argv.slice(2);
const names = readdirSync(packages)
	.flatMap(name => name.startsWith('@') ? readdirSync(join(packages, name)).map(inner => `${name}/${inner}`) : [name])
	.filter(name => existsSync(join(packages, name, 'package.json')))
	.sort();

rmSync(out, {recursive: true, force: true});
let list = "The pages' script and style are bundled from these packages. Each one's licence is in its directory.\n\n";
for (const name of names) {
	const {version, license} = JSON.parse(readFileSync(join(packages, name, 'package.json'), 'utf8'));
	const text = readdirSync(join(packages, name)).filter(file => /^licen[sc]e/i.test(file)).sort()[0];
	if (!text) throw new Error(`${name} comes without a licence`);
	mkdirSync(join(out, name), {recursive: true});
	cpSync(join(packages, name, text), join(out, name, 'LICENSE'));
	list += `${name} ${version}: ${license}\n`;
}
writeFileSync(join(out, 'README'), list);
