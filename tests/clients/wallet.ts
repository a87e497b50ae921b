// A wallet user's page with viem: deposits, withdrawals and their answers, as such a page would ask for them.
// Everything it needs to know comes from the environment; it ends with 0 only if all went as users are promised.
import {
  BaseError,
  ContractFunctionRevertedError,
  createPublicClient,
  createWalletClient,
  defineChain,
  erc20Abi,
  http,
  parseEventLogs,
  type Address,
  type Hex,
  type TransactionReceipt,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { vaultAbi } from "./IVault.js";

declare const process: { env: Record<string, string | undefined>; exitCode: number };

const PATIENCE_MS = 60_000;
const PAUSE_MS = 100;
const VALID_S = 3_600n;
const ETHER = 10n ** 18n;

interface Item {
  ref: string;
  state: string;
  sentence: string;
}

function given(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

function must(what: string, holds: boolean): void {
  if (!holds) throw new Error(`not so: ${what}`);
  console.log(`ok  ${what}`);
}

const vault = given("VAULT") as Address;
const token = given("TOKEN") as Address;
const ether = given("ETHER") as Address;
const api = given("API_URL");
const account = privateKeyToAccount(given("PRIVATE_KEY") as Hex);
const recipient = given("RECIPIENT") as Address;
const chain = defineChain({
  id: Number(given("CHAIN_ID")),
  name: "the vault's chain",
  nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
  rpcUrls: { default: { http: [given("RPC_URL")] } },
});
const reader = createPublicClient({ chain, transport: http(), pollingInterval: PAUSE_MS });
const wallet = createWalletClient({ account, chain, transport: http() });
const contract = { address: vault, abi: vaultAbi } as const;

async function mined(hash: Hex): Promise<TransactionReceipt> {
  const receipt = await reader.waitForTransactionReceipt({ hash });
  must(`transaction ${hash.slice(0, 10)}… is in block ${receipt.blockNumber}`, receipt.status === "success");
  return receipt;
}

async function items(reference: string): Promise<Item[]> {
  const answer = await fetch(`${api}/v1/transfers/${reference}`);
  if (!answer.ok) throw new Error(`${reference}: ${answer.status} ${await answer.text()}`);
  return ((await answer.json()) as { items: Item[] }).items;
}

async function waitFor(reference: string, state: string): Promise<Item> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const [item] = await items(reference);
    if (item?.state === state) {
      console.log(`ok  ${item.ref} is ${state}: ${item.sentence}`);
      return item;
    }
    if (Date.now() > end) throw new Error(`${reference} never was ${state}: ${JSON.stringify(item)}`);
    await new Promise((next) => setTimeout(next, PAUSE_MS));
  }
}

/** What a page says before it lets the user sign: the contract's own error, by name. */
async function aDepositThatIsTooSmall(): Promise<void> {
  const { minDeposit } = await reader.readContract({ ...contract, functionName: "listingOf", args: [ether] });
  const simulated = reader.simulateContract({
    ...contract,
    account,
    functionName: "depositEther",
    args: [account.address],
    value: 1n,
  });
  const fault = await simulated.then(
    () => undefined,
    (error: unknown) => (error instanceof BaseError ? error.walk((e) => e instanceof ContractFunctionRevertedError) : error),
  );
  const name = fault instanceof ContractFunctionRevertedError ? fault.data?.errorName : undefined;
  must(`one wei is refused by name, as the least is ${minDeposit}: ${name}`, name === "DepositBelowMinimum" || name === "AmountNotDivisible");
}

async function depositOfEther(): Promise<void> {
  const hash = await wallet.writeContract({
    ...contract,
    functionName: "depositEther",
    args: [account.address],
    value: 2n * ETHER,
  });
  const { logs } = await mined(hash);
  const [event] = parseEventLogs({ abi: vaultAbi, logs, eventName: "Deposited" });
  must("the event names the owner", event?.args.owner === account.address);
  const item = await waitFor(`tx:${hash}`, "cleared");
  must("it is the event's number", item.ref === `deposit:${event?.args.seq}`);
}

async function depositOfToken(): Promise<void> {
  const amount = 250_000_000n;
  await mined(await wallet.writeContract({ address: token, abi: erc20Abi, functionName: "approve", args: [vault, amount] }));
  const hash = await wallet.writeContract({ ...contract, functionName: "deposit", args: [token, amount, account.address] });
  await mined(hash);
  await waitFor(`tx:${hash}`, "cleared");
}

async function request(amount: bigint): Promise<Hex> {
  const { timestamp } = await reader.getBlock();
  const hash = await wallet.writeContract({
    ...contract,
    functionName: "requestWithdrawal",
    args: [ether, recipient, amount, timestamp + VALID_S],
  });
  const { logs } = await mined(hash);
  const [event] = parseEventLogs({ abi: vaultAbi, logs, eventName: "WithdrawalRequested" });
  if (event === undefined) throw new Error("no WithdrawalRequested in the receipt");
  return event.args.id;
}

async function aWithdrawal(): Promise<void> {
  const before = await reader.getBalance({ address: recipient });
  await waitFor(`withdrawal:${await request(ETHER / 2n)}`, "paid");
  const gained = (await reader.getBalance({ address: recipient })) - before;
  must("the recipient has half an ether more", gained === ETHER / 2n);
}

async function aWithdrawalWithoutMoney(): Promise<void> {
  const item = await waitFor(`withdrawal:${await request(50n * ETHER)}`, "refused");
  must("the user is told why", item.sentence.includes("balance"));
}

async function aQuestionNobodyUnderstands(): Promise<void> {
  const answer = await fetch(`${api}/v1/transfers/deposit:many`);
  const problem = (await answer.json()) as { type: string; status: number; detail: string };
  must("a problem document answers", answer.headers.get("content-type") === "application/problem+json");
  must(`it says what is wrong: ${problem.detail}`, problem.type.startsWith("urn:sovr:problem:") && answer.status === 400);
}

async function story(): Promise<void> {
  await aDepositThatIsTooSmall();
  await depositOfEther();
  await depositOfToken();
  await aWithdrawal();
  await aWithdrawalWithoutMoney();
  await aQuestionNobodyUnderstands();
}

story().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
