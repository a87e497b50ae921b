// Compiles the vault in this process, again and again, without the optimizer: a second for an edit where forge and a
// fresh compiler take half a minute. Only for finding out what tests say; nothing that it makes is ever deployed.
"use strict";
const fs = require("node:fs");
const path = require("node:path");

const root = path.resolve(__dirname, "../../..");
const home = path.join(root, ".tools/node/node_modules/solc");

function remappings() {
  const toml = fs.readFileSync(path.join(root, "foundry.toml"), "utf8");
  const list = /^remappings = \[([^\]]*)\]/m.exec(toml);
  return list ? [...list[1].matchAll(/"([^"]+)"/g)].map((match) => match[1]) : [];
}

function sourceFile(name) {
  try {
    return { contents: fs.readFileSync(path.join(root, name), "utf8") };
  } catch (error) {
    return { error: error.message };
  }
}

let solc;
const settings = {
  remappings: remappings(),
  evmVersion: "cancun",
  optimizer: { enabled: false },
  metadata: { appendCBOR: false, bytecodeHash: "none" },
};

/**
 * Compiles `file` (a path below the root); `overrides` maps paths to changed texts, all else comes from the disk.
 * Answers { errors: [text], syntax: trees by path, contracts: those of `file` by name }.
 */
function compile(file, outputSelection, overrides = {}, disk = sourceFile) {
  solc ??= require(path.join(home, "wrapper.js"))(require(path.join(home, "soljson.js")));
  const content = overrides[file] ?? fs.readFileSync(path.join(root, file), "utf8");
  const input = {
    language: "Solidity",
    sources: { [file]: { content } },
    settings: { ...settings, outputSelection },
  };
  const read = (name) => (name in overrides ? { contents: overrides[name] } : disk(name));
  const answer = JSON.parse(solc.compile(JSON.stringify(input), { import: read }));
  const errors = (answer.errors ?? []).filter((entry) => entry.severity === "error");
  return {
    errors: errors.map((entry) => entry.message),
    syntax: answer.sources ?? {},
    contracts: answer.contracts?.[file] ?? {},
  };
}

/** Creation code and runtime code of a contract, or the errors. */
function bytecode(file, contract, overrides) {
  const selection = { [file]: { [contract]: ["evm.bytecode.object", "evm.deployedBytecode.object"] } };
  const { errors, contracts } = compile(file, selection, overrides);
  if (errors.length > 0) return { errors };
  const { evm } = contracts[contract];
  return { errors, creation: evm.bytecode.object, runtime: evm.deployedBytecode.object };
}

/** The syntax tree of `file` and of everything that it imports, by path. */
function syntaxTrees(file) {
  const { errors, syntax } = compile(file, { "*": { "": ["ast"] } });
  if (errors.length > 0) throw new Error(errors.join("\n"));
  return syntax;
}

/** The errors of compiling `text` where only files that `allowed` agrees to can be imported. */
function compileAlone(text, allowed) {
  const file = "Importer.sol";
  const read = (name) => (allowed(name) ? sourceFile(name) : { error: `${name} is out of reach` });
  return compile(file, { [file]: { "*": ["abi"] } }, { [file]: text }, read).errors;
}

module.exports = { bytecode, compileAlone, root, syntaxTrees };
