// Writes down what the mutation campaign knows: contracts/test/mutation/RESULTS.md. Explanations of survivors are read
// from survivors.json beside it: { "<mutant id>": "why no test can tell" }.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const { root } = require("./compiler.js");

const FOLDER = path.join(root, "contracts/test/mutation");
const WANTED_PERCENT = 90;
const WANTED_MUTANTS = 200;

function explanations() {
  return JSON.parse(fs.readFileSync(path.join(FOLDER, "survivors.json"), "utf8"));
}

function tally(mutants, results) {
  const counts = { killed: 0, survived: 0, invalid: 0, same: 0, untried: 0 };
  for (const { id } of mutants) counts[results.get(id)?.status ?? "untried"] += 1;
  counts.tried = counts.killed + counts.survived;
  counts.percent = counts.tried === 0 ? 0 : (100 * counts.killed) / counts.tried;
  return counts;
}

const clean = (text) => `\`${text.replace(/\s+/g, " ").replace(/\|/g, "\\|").replace(/`/g, "'") || " "}\``;

function scopeRows(mutants, results) {
  const scopes = new Map();
  for (const mutant of mutants) {
    const name = `${path.basename(mutant.file)}: ${mutant.scope}`;
    scopes.set(name, [...(scopes.get(name) ?? []), mutant]);
  }
  return [...scopes].map(([name, own]) => {
    const counts = tally(own, results);
    return `| ${name} | ${own.length} | ${counts.tried} | ${counts.killed} | ${counts.survived} |`;
  });
}

function survivorRows(survivors, results, stamp) {
  const reasons = explanations();
  return survivors.map(({ id, scope, line, from, text }) => {
    const change = `${clean(from)} → ${clean(text)}`;
    const open = results.get(id).tests === stamp.tests ? "**not explained**" : "to be tried again: tests changed since";
    return `| ${id} | ${scope}, ${line} | ${change} | ${reasons[id] ?? open} |`;
  });
}

function killers(mutants, results) {
  const counts = new Map();
  for (const { id } of mutants) {
    const { status, by } = results.get(id) ?? {};
    if (status !== "killed") continue;
    const contract = by.split(".")[0];
    counts.set(contract, (counts.get(contract) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1]).map(([name, count]) => `${name} ${count}`).join(", ");
}

function summary({ counts, unexplained, total }) {
  return (
    `${total} mutants: ${counts.killed} killed, ${counts.survived} survived (${unexplained.length} not explained), ` +
    `${counts.invalid} do not compile, ${counts.same} are the same code, ${counts.untried} not tried; ` +
    `score ${counts.percent.toFixed(1)} %`
  );
}

function document(mutants, results, stamp, outcome) {
  const dates = [...results.values()].map(({ at }) => at.slice(0, 10)).sort();
  const survivors = mutants.filter(({ id }) => results.get(id)?.status === "survived");
  return `# Mutation campaign

Written by \`scripts/mutants\`. Last mutant tried on ${dates.at(-1) ?? "no day yet"}; contracts ${stamp.source}, tests
${stamp.tests} (digests of all sources). The score is killed / (killed + survived); what does not compile, and what
compiles to the code of the vault itself or of another mutant, counts for neither. The rules are in
\`scripts/lib/vault/mutation.js\`; none is switched off and no line is left out. Mutants are tried in an order that
takes one of each function in turn.

${summary(outcome)}

Killed by: ${killers(mutants, results) || "nothing yet"}.

## Survivors

| id | where | change | why no test can tell |
|---|---|---|---|
${survivorRows(survivors, results, stamp).join("\n")}

## By function

| function | mutants | tried | killed | survived |
|---|---|---|---|---|
${scopeRows(mutants, results).join("\n")}
`;
}

/** Writes the results and answers { counts, unexplained, total, good }. */
function report(mutants, results, stamp) {
  const counts = tally(mutants, results);
  const reasons = explanations();
  const unexplained = mutants.filter(({ id }) => results.get(id)?.status === "survived" && !reasons[id]);
  const enough = counts.tried >= WANTED_MUTANTS && counts.percent >= WANTED_PERCENT;
  const outcome = { counts, unexplained, total: mutants.length, good: enough && unexplained.length === 0 };
  fs.writeFileSync(path.join(FOLDER, "RESULTS.md"), document(mutants, results, stamp, outcome));
  return outcome;
}

module.exports = { report, summary };
