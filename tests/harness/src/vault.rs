//! The vault and its test token, as users and operators call them.

use crate::{
    contracts::{Deployment, ETHER, Token},
    rpc::Rpc,
    wallet::Wallet,
};
use alloy::{
    primitives::{Address, B256, Bytes, U256},
    rpc::types::TransactionReceipt,
    sol_types::{SolCall, SolEvent},
};
use anyhow::{Result, anyhow};
use serde_json::json;

/// Generated from the committed ABI; the contracts' NatSpec documents it.
#[allow(missing_docs, clippy::too_many_arguments)]
pub mod abi {
    alloy::sol!(
        #[sol(all_derives)]
        IVault,
        "../../contracts/abi/IVault.json"
    );

    alloy::sol! {
        function mint(address to, uint256 amount) external;
        function approve(address spender, uint256 amount) external returns (bool);
        function balanceOf(address owner) external view returns (uint256);
    }
}

use abi::{IVault, IVaultTypes};

/// A vault at a node.
#[derive(Clone, Debug)]
pub struct Vault {
    rpc: Rpc,
    address: Address,
}

/// A withdrawal that was asked for on chain.
#[derive(Clone, Debug)]
pub struct Requested {
    /// Its id.
    pub id: B256,
    /// Its event number, which is its nonce.
    pub seq: u64,
    /// All fields, as `payout`, `refuse` and `cancelExpired` want them.
    pub withdrawal: IVaultTypes::Withdrawal,
    /// The transaction.
    pub tx_hash: B256,
}

impl Vault {
    /// A deployed vault.
    #[must_use]
    pub fn new(rpc: &Rpc, deployment: &Deployment) -> Self {
        Self { rpc: rpc.clone(), address: deployment.vault }
    }

    /// Its address.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.address
    }

    /// Deposits for `owner`. A test token is minted and approved first.
    ///
    /// # Errors
    /// When a transaction fails.
    pub fn deposit(
        &self,
        wallet: &Wallet,
        token: &Token,
        amount: u128,
        owner: Address,
    ) -> Result<TransactionReceipt> {
        if token.address == ETHER {
            let call = IVault::depositEtherCall { owner };
            return wallet.execute(Some(self.address), amount, call.abi_encode());
        }
        self.mint(wallet, token, amount)?;
        let approve = abi::approveCall { spender: self.address, amount: U256::from(amount) };
        wallet.execute(Some(token.address), 0, approve.abi_encode())?;
        let call = IVault::depositCall { token: token.address, amount, owner };
        wallet.execute(Some(self.address), 0, call.abi_encode())
    }

    /// Gives the wallet so much of a test token.
    ///
    /// # Errors
    /// When the transaction fails.
    pub fn mint(&self, wallet: &Wallet, token: &Token, amount: u128) -> Result<TransactionReceipt> {
        let mint = abi::mintCall { to: wallet.address(), amount: U256::from(amount) };
        wallet.execute(Some(token.address), 0, mint.abi_encode())
    }

    /// Asks for a withdrawal to `to` that can be paid for `valid_s` seconds of the chain's time.
    ///
    /// # Errors
    /// When the transaction fails.
    pub fn request(
        &self,
        wallet: &Wallet,
        token: &Token,
        amount: u128,
        to: Address,
        valid_s: u64,
    ) -> Result<Requested> {
        let deadline = self.chain_time()?.saturating_add(valid_s);
        let call = IVault::requestWithdrawalCall { token: token.address, to, amount, deadline };
        let receipt = wallet.execute(Some(self.address), 0, call.abi_encode())?;
        let event = receipt
            .logs()
            .iter()
            .find_map(|log| IVault::WithdrawalRequested::decode_log(&log.inner).ok())
            .ok_or_else(|| anyhow!("the request emitted no WithdrawalRequested"))?;
        let withdrawal = IVaultTypes::Withdrawal {
            owner: event.owner,
            to: event.to,
            token: event.token,
            amount: event.amount,
            fee: 0,
            nonce: U256::from(event.seq),
            deadline: event.deadline,
        };
        let tx_hash = receipt.transaction_hash;
        Ok(Requested { id: event.id, seq: event.seq, withdrawal, tx_hash })
    }

    /// Closes an expired request.
    ///
    /// # Errors
    /// When the transaction fails.
    pub fn cancel_expired(
        &self,
        wallet: &Wallet,
        requested: &Requested,
    ) -> Result<TransactionReceipt> {
        let call = IVault::cancelExpiredCall { kind: 0, withdrawal: requested.withdrawal.clone() };
        wallet.execute(Some(self.address), 0, call.abi_encode())
    }

    /// Sets the payout signers; `admin` must hold the role.
    ///
    /// # Errors
    /// When the transaction fails.
    pub fn set_signers(
        &self,
        admin: &Wallet,
        signers: &[Address],
        threshold: usize,
    ) -> Result<TransactionReceipt> {
        let mut ascending = signers.to_vec();
        ascending.sort_unstable();
        let new_threshold = U256::from(threshold);
        let call = IVault::setSignersCall { signers: ascending, threshold: new_threshold };
        admin.execute(Some(self.address), 0, call.abi_encode())
    }

    /// Stops payouts; `pauser` must hold the role.
    ///
    /// # Errors
    /// When the transaction fails.
    pub fn pause_payouts(&self, pauser: &Wallet) -> Result<TransactionReceipt> {
        pauser.execute(Some(self.address), 0, IVault::pausePayoutsCall {}.abi_encode())
    }

    /// Lifts the pause of payouts; `admin` must hold the role.
    ///
    /// # Errors
    /// When the transaction fails.
    pub fn unpause_payouts(&self, admin: &Wallet) -> Result<TransactionReceipt> {
        admin.execute(Some(self.address), 0, IVault::unpausePayoutsCall {}.abi_encode())
    }

    /// The number of the vault's last event.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn last_seq(&self) -> Result<u64> {
        let answer = self.call(self.address, IVault::lastSeqCall {}.abi_encode())?;
        Ok(IVault::lastSeqCall::abi_decode_returns(&answer)?)
    }

    /// The state of a withdrawal, as `IVaultTypes.State` numbers it.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn state_of(&self, id: B256) -> Result<u8> {
        let answer = self.call(self.address, IVault::stateOfCall { id }.abi_encode())?;
        Ok(IVault::stateOfCall::abi_decode_returns(&answer)?)
    }

    /// Whether payouts are paused in the newest block.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn payouts_paused(&self) -> Result<bool> {
        let answer = self.call(self.address, IVault::payoutsPausedUntilCall {}.abi_encode())?;
        let until = IVault::payoutsPausedUntilCall::abi_decode_returns(&answer)?;
        Ok(self.chain_time()? < until)
    }

    /// What an address holds of a token outside the vault.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn balance(&self, token: &Token, owner: Address) -> Result<U256> {
        if token.address == ETHER {
            let balance = self.rpc.call("eth_getBalance", &json!([owner, "latest"]))?;
            return Ok(serde_json::from_value(balance)?);
        }
        let answer = self.call(token.address, abi::balanceOfCall { owner }.abi_encode())?;
        Ok(abi::balanceOfCall::abi_decode_returns(&answer)?)
    }

    /// The newest block's time, Unix seconds.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn chain_time(&self) -> Result<u64> {
        let block = self.rpc.call("eth_getBlockByNumber", &json!(["latest", false]))?;
        let time: U256 = serde_json::from_value(block["timestamp"].clone())?;
        Ok(time.try_into()?)
    }

    fn call(&self, to: Address, input: Vec<u8>) -> Result<Bytes> {
        let call = json!([{"to": to, "input": Bytes::from(input)}, "latest"]);
        Ok(serde_json::from_value(self.rpc.call("eth_call", &call)?)?)
    }
}
