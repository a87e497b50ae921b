// Enumerates small faults of a Solidity file from its syntax tree: each is one replaced range of bytes. Nothing is left
// out: every function, every statement and every operator that one of the rules below knows.
"use strict";
const crypto = require("node:crypto");

const BINARY = {
  "<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="], ">=": [">", "<"], "==": ["!="], "!=": ["=="],
  "+": ["-"], "-": ["+"], "*": ["/"], "/": ["*"], "%": ["*"],
  "&": ["|"], "|": ["&"], "^": ["&"], "<<": [">>"], ">>": ["<<"], "&&": ["||"], "||": ["&&"],
};
const ASSIGNMENT = {
  "+=": ["-=", "="], "-=": ["+=", "="], "|=": ["&=", "="], "&=": ["|=", "="], "*=": ["/="], "/=": ["*="],
};
const MEMBERS = { "msg.sender": ["tx.origin"], "block.timestamp": ["block.number"], "msg.value": ["0"] };
const YUL = {
  gt: "lt", lt: "gt", and: "or", or: "and", add: "sub", sub: "add", shl: "shr", shr: "shl", mul: "div", div: "mul",
  eq: "lt", not: "iszero",
};

/** What a value of a type can be replaced by: its smallest, and for truth values both. */
function defaults(type) {
  if (type === "bool") return ["true", "false"];
  if (/^uint\d+$/.test(type)) return ["0"];
  if (type === "bytes32") return ["bytes32(0)"];
  if (type === "address") return ["address(0)"];
  if (type === "bytes memory") return ['bytes("")'];
  return [];
}

const typeOf = (node) => node?.typeDescriptions?.typeString ?? "";

/** Each rule looks at one node and proposes replacements: `change(node or [start, end], text)`. */
const RULES = {
  BinaryOperation(node, { change, text }) {
    const { leftExpression: left, rightExpression: right, operator } = node;
    const gap = [left.end, right.start];
    // The operator stands between its operands, beside brackets and line ends that stay.
    for (const other of BINARY[operator] ?? []) change(gap, text(gap).replace(operator, other), "operator");
    if (operator === "&&" || operator === "||") {
      change(node, text(left), "operand");
      change(node, text(right), "operand");
    }
  },
  UnaryOperation(node, { change, text }) {
    const operand = text(node.subExpression);
    if (node.operator === "!" || node.operator === "~" || node.operator === "-") change(node, operand, "operator");
    if (node.operator === "++" || node.operator === "--") {
      const other = node.operator === "++" ? "--" : "++";
      change(node, node.prefix ? other + operand : operand + other, "operator");
      change(node, operand, "operator");
    }
  },
  Assignment(node, { change, text }) {
    const gap = [node.leftHandSide.end, node.rightHandSide.start];
    for (const other of ASSIGNMENT[node.operator] ?? []) {
      change(gap, text(gap).replace(node.operator, other), "assignment");
    }
  },
  Literal(node, { change, text }) {
    const written = text(node);
    if (node.kind === "bool") change(node, written === "true" ? "false" : "true", "literal");
    if (node.kind === "string" && written.length > 2) change(node, '""', "literal");
    if (node.kind !== "number") return;
    if (/^address/.test(typeOf(node))) return change(node, "address(uint160(1))", "literal");
    // With its unit: `3 days` becomes `(3 days + 1)`.
    change(node, `(${written} + 1)`, "literal");
    if (!/^0(x0*)?$/.test(written)) change(node, "0", "literal");
  },
  Conditional(node, { change, text }) {
    change(node, text(node.trueExpression), "choice");
    change(node, text(node.falseExpression), "choice");
  },
  MemberAccess(node, { change, text }) {
    const written = text(node);
    for (const other of MEMBERS[written] ?? []) change(node, other, "member");
    const members = typeOf(node.expression).startsWith("type(enum ") && node.enumMembers;
    if (!members) return;
    const next = members[(members.indexOf(node.memberName) + 1) % members.length];
    change(node, `${text(node.expression)}.${next}`, "enum");
  },
  FunctionCall(node, { change, text }) {
    const given = node.arguments;
    for (let i = 0; i + 1 < given.length; i += 1) {
      const [a, b] = [given[i], given[i + 1]];
      if (typeOf(a) !== typeOf(b) || text(a) === text(b)) continue;
      change([a.start, b.end], text(b) + text([a.end, b.start]) + text(a), "arguments");
    }
  },
  ModifierInvocation(node, { change }) {
    change(node, "", "modifier");
  },
  IfStatement(node, { change }) {
    change(node.condition, "true", "condition");
    change(node.condition, "false", "condition");
  },
  ForStatement(node, { change }) {
    if (node.condition) change(node.condition, "false", "condition");
  },
  WhileStatement(node, { change }) {
    change(node.condition, "false", "condition");
  },
  ExpressionStatement: removed,
  EmitStatement: removed,
  RevertStatement: removed,
  Break: removed,
  Continue: removed,
  Return(node, { change }) {
    if (!node.expression) return removed(node, { change });
    for (const value of defaults(typeOf(node.expression))) change(node.expression, value, "answer");
  },
  VariableDeclarationStatement(node, { change }) {
    const [declared] = node.declarations;
    if (!node.initialValue || node.declarations.length !== 1) return;
    for (const value of defaults(typeOf(declared))) change(node.initialValue, value, "initial value");
  },
  YulFunctionCall(node, { change }) {
    const other = YUL[node.functionName.name];
    if (other) change(node.functionName, other, "assembly");
  },
  YulLiteral(node, { change, text }) {
    if (node.kind !== "number") return;
    change(node, String(BigInt(text(node)) + 1n), "assembly");
    if (BigInt(text(node)) !== 0n) change(node, "0", "assembly");
  },
  YulExpressionStatement: removedYul,
  YulAssignment: removedYul,
};

function removed(node, { change, bytes }) {
  // The tree leaves out a statement's semicolon, but not always.
  const end = bytes && bytes[node.end - 1] !== 0x3b && bytes[node.end] === 0x3b ? node.end + 1 : node.end;
  change([node.start, end], "{}", "removed");
}

function removedYul(node, { change }) {
  change(node, "{}", "removed");
}

/** Gives every node `start` and `end`, and each use of an enum the names of its members. */
function annotate(trees) {
  const enums = new Map();
  const visit = (node) => {
    if (Array.isArray(node)) return node.forEach(visit);
    if (node === null || typeof node !== "object") return;
    if (typeof node.src === "string") {
      const [start, length] = node.src.split(":").map(Number);
      Object.assign(node, { start, end: start + length });
    }
    if (node.nodeType === "EnumDefinition") enums.set(node.id, node.members.map((member) => member.name));
    Object.values(node).forEach(visit);
  };
  Object.values(trees).forEach(({ ast }) => visit(ast));
  return enums;
}

const SCOPES = new Set(["FunctionDefinition", "ModifierDefinition"]);

function scopeName(node) {
  return node.name || node.kind || "fallback";
}

const short = (text) => crypto.createHash("sha256").update(text).digest("hex").slice(0, 12);

/** Every mutant of `file`, whose syntax trees and text are given: { id, within, file, scope, line, rule, start, end, from, text }.
 * `id` says what it does, `within` is the digest of the function that it is in. */
function enumerate(file, trees, source) {
  const bytes = Buffer.from(source, "utf8");
  const enums = annotate(trees);
  const found = [];
  const seen = new Set();
  const deeds = new Map();
  const text = (place) => {
    const [start, end] = Array.isArray(place) ? place : [place.start, place.end];
    return bytes.subarray(start, end).toString("utf8");
  };
  const record = ({ name: scope, digest: within }) => (place, replacement, rule) => {
    const [start, end] = Array.isArray(place) ? place : [place.start, place.end];
    if (text([start, end]) === replacement) return;
    const range = `${start}:${end}:${replacement}`;
    if (seen.has(range)) return;
    seen.add(range);
    // Named by what it does and not by where, so that it keeps its name when lines elsewhere change.
    const deed = `${file}:${scope}:${text(place)}:${replacement}`;
    const nth = deeds.get(deed) ?? 0;
    deeds.set(deed, nth + 1);
    const id = short(`${deed}:${nth}`);
    const line = bytes.subarray(0, start).toString("utf8").split("\n").length;
    found.push({ id, within, file, scope, line, rule, start, end, from: text(place), text: replacement });
  };
  const visit = (node, scope) => {
    if (Array.isArray(node)) return node.forEach((child) => visit(child, scope));
    if (node === null || typeof node !== "object") return;
    const inner = SCOPES.has(node.nodeType) ? { name: scopeName(node), digest: short(text(node)) } : scope;
    if (node.nodeType === "MemberAccess") node.enumMembers = enums.get(node.expression?.referencedDeclaration);
    const rule = RULES[node.nodeType];
    if (rule) rule(node, { change: record(inner), text, bytes });
    for (const [name, child] of Object.entries(node)) if (name !== "typeDescriptions") visit(child, inner);
  };
  for (const part of trees[file].ast.nodes) {
    if (part.nodeType !== "ContractDefinition") continue;
    for (const node of part.nodes) visit(node, { name: "constants", digest: short(text(node)) });
  }
  return found;
}

/** In an order in which any beginning is spread over all functions, the same on every machine. */
function spread(mutants) {
  const byScope = new Map();
  for (const mutant of [...mutants].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const scope = `${mutant.file}:${mutant.scope}`;
    byScope.set(scope, [...(byScope.get(scope) ?? []), mutant]);
  }
  const queues = [...byScope.keys()].sort().map((scope) => byScope.get(scope));
  const order = [];
  for (let round = 0; order.length < mutants.length; round += 1) {
    for (const queue of queues) if (round < queue.length) order.push(queue[round]);
  }
  return order;
}

function apply(source, { start, end, text }) {
  const bytes = Buffer.from(source, "utf8");
  return Buffer.concat([bytes.subarray(0, start), Buffer.from(text), bytes.subarray(end)]).toString("utf8");
}

module.exports = { apply, enumerate, spread };
