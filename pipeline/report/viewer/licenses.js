// Writes viewer.LICENSES.txt: the licences of everything that is bundled into viewer.js.
const fs = require("node:fs");
const texts = Object.keys(require("./package.json").dependencies).map((name) => {
  const { version } = require(`./node_modules/${name}/package.json`);
  return `${name} ${version}\n\n${fs.readFileSync(`node_modules/${name}/LICENSE`, "utf8").trim()}\n`;
});
fs.writeFileSync("viewer.LICENSES.txt", texts.join(`\n${"-".repeat(80)}\n\n`));
