// A copy of the contracts in which forge finds everything compiled, and in which the vault's code can be exchanged
// without forge noticing: the tests deploy it by its artifact's name. So one changed vault costs one run of the tests
// and no compilation of them. The copy is made from the working tree and lives in .local/.
"use strict";
const { spawn, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { root } = require("./compiler.js");

const forge = path.join(root, ".tools/bin/forge");
const COPIED = ["contracts/src", "contracts/test", "contracts/script", "contracts/abi", "docs", "foundry.toml"];
const TEST_SECONDS = 300;

class Sandbox {
  constructor(name) {
    this.home = path.join(root, ".local", name);
    this.artifact = path.join(this.home, "contracts/out/fast/Vault.sol/Vault.json");
    this.kept = path.join(this.home, "Vault.compiled.json");
    this.env = { ...process.env, FOUNDRY_PROFILE: "fast", NO_COLOR: "1" };
  }

  /** Copies the tree anew (compiled tests of an earlier copy are used again) and compiles all of it. */
  prepare() {
    for (const name of COPIED) {
      fs.rmSync(path.join(this.home, name), { recursive: true, force: true });
      fs.cpSync(path.join(root, name), path.join(this.home, name), { recursive: true, preserveTimestamps: true });
    }
    for (const name of [".tools", "scripts"]) {
      fs.rmSync(path.join(this.home, name), { force: true });
      fs.symlinkSync(path.join(root, name), path.join(this.home, name));
    }
    // Otherwise forge would take an exchanged artifact of an earlier run for its own.
    if (fs.existsSync(this.kept)) fs.copyFileSync(this.kept, this.artifact);
    else fs.rmSync(this.artifact, { force: true });
    const built = spawnSync(forge, ["build"], { cwd: this.home, env: this.env, encoding: "utf8" });
    if (built.status !== 0) throw new Error(`forge build in ${this.home}:\n${built.stdout}${built.stderr}`);
    fs.copyFileSync(this.artifact, this.kept);
    this.original = JSON.parse(fs.readFileSync(this.kept, "utf8"));
  }

  /** Exchanges the vault's code for what `compiler.bytecode` answered. */
  install(code) {
    const changed = structuredClone(this.original);
    changed.bytecode.object = `0x${code.creation}`;
    changed.deployedBytecode.object = `0x${code.runtime}`;
    fs.writeFileSync(this.artifact, JSON.stringify(changed));
  }

  /**
   * Runs forge's tests with the given arguments. Answers { failed: [names], passed: number, timedOut }.
   * A run that says nothing usable is an error, never a failed test.
   */
  test(args, env = {}) {
    return new Promise((resolve, reject) => {
      const child = spawn(forge, ["test", "--json", ...args], { cwd: this.home, env: { ...this.env, ...env } });
      let output = "";
      let complaints = "";
      let timedOut = false;
      const limit = setTimeout(() => {
        timedOut = true;
        child.kill("SIGKILL");
      }, TEST_SECONDS * 1000);
      child.stdout.on("data", (data) => (output += data));
      child.stderr.on("data", (data) => (complaints += data));
      child.on("error", reject);
      child.on("close", () => {
        clearTimeout(limit);
        if (timedOut) return resolve({ failed: [], passed: 0, timedOut });
        try {
          resolve({ ...verdict(output), timedOut });
        } catch (error) {
          reject(new Error(`forge test ${args.join(" ")}: ${error.message}\n${output.slice(0, 2000)}${complaints}`));
        }
      });
    });
  }
}

function verdict(output) {
  const suites = JSON.parse(output.slice(output.indexOf("{")));
  const failed = [];
  let passed = 0;
  for (const [suite, { test_results: results }] of Object.entries(suites)) {
    const contract = suite.slice(suite.lastIndexOf(":") + 1);
    for (const [signature, result] of Object.entries(results)) {
      if (result.status === "Success") passed += 1;
      else if (result.status === "Failure") failed.push(`${contract}.${signature.replace(/\(.*/, "")}`);
    }
  }
  if (passed + failed.length === 0) throw new Error("no test ran");
  return { failed: failed.sort(), passed };
}

module.exports = { Sandbox };
