//! What the vault's newest state says of itself and of its tokens: limits, pauses, roles. Nothing
//! final; for people who ask.

use super::{
    bindings::{
        Shown,
        abi::IVault::{self, Listing as TokenListing, Settings},
    },
    error::ReadError,
    node::Node,
    nodes::Nodes,
};
use alloy::{
    eips::BlockId,
    network::TransactionBuilder,
    primitives::{Address, B256, Bytes, U256, keccak256},
    providers::{DynProvider, Provider},
    rpc::types::{Filter, TransactionRequest},
    sol,
    sol_types::{SolCall, SolEvent},
};
use bridge_core::{
    asset::{ETHER, LedgerId, Listing},
    block::{BlockNumber, UnixSeconds},
    endpoint::ReadFault,
    vault_event::VaultEvent,
};

/// Longest symbol of a token that is shown, characters: the token chooses it.
const SYMBOL_CHARS_MAX: usize = 16;
/// ABI: where the text of a lone string begins, and where its length ends.
const TEXT_AT: usize = 64;

sol! {
    function symbol() external view returns (string);
    function decimals() external view returns (uint8);
    function hasRole(bytes32 role, address account) external view returns (bool);
}

/// The vault's terms for everybody.
#[derive(Clone, Debug)]
pub struct VaultTerms {
    /// Deposits are taken again from then on; 0 or past while they run.
    pub deposits_paused_until: UnixSeconds,
    /// Payouts are made again from then on; 0 or past while they run.
    pub payouts_paused_until: UnixSeconds,
    /// Deadlines, queue and delays.
    pub settings: Settings,
}

/// The vault's terms for one token.
#[derive(Clone, Debug)]
pub struct TokenTerms {
    /// As the token calls itself; `None` where it does not tell.
    pub symbol: Option<String>,
    /// Digits after the point, for display only; `None` where the token does not tell.
    pub decimals: Option<u8>,
    /// Limits and scale.
    pub listing: TokenListing,
    /// Token units that may be paid at once now.
    pub payout_budget: u128,
}

impl Node {
    /// The vault's terms.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn vault_terms(&self) -> Result<VaultTerms, ReadError> {
        let vault = self.vault;
        let (deposits, payouts, settings) = tokio::try_join!(
            self.read_now(vault, IVault::depositsPausedUntilCall {}),
            self.read_now(vault, IVault::payoutsPausedUntilCall {}),
            self.read_now(vault, IVault::settingsCall {}),
        )?;
        Ok(VaultTerms {
            deposits_paused_until: UnixSeconds(deposits),
            payouts_paused_until: UnixSeconds(payouts),
            settings,
        })
    }

    /// The vault's terms for a token.
    ///
    /// # Errors
    /// If the node does not answer. A token that does not tell its name is no error.
    pub async fn token_terms(&self, token: Address) -> Result<TokenTerms, ReadError> {
        let (listing, payout_budget, symbol, decimals) = tokio::try_join!(
            self.read_now(self.vault, IVault::listingOfCall { token }),
            self.read_now(self.vault, IVault::payoutBudgetCall { token }),
            self.symbol(token),
            self.decimals(token),
        )?;
        Ok(TokenTerms { symbol, decimals, listing, payout_budget })
    }

    async fn symbol(&self, token: Address) -> Result<Option<String>, ReadError> {
        if token == ETHER {
            return Ok(Some("ETH".to_owned()));
        }
        Ok(told(self.call_at_newest(token, symbolCall {}.abi_encode()).await)?
            .and_then(|answer| readable(&answer)))
    }

    async fn decimals(&self, token: Address) -> Result<Option<u8>, ReadError> {
        if token == ETHER {
            return Ok(Some(18));
        }
        Ok(told(self.call_at_newest(token, decimalsCall {}.abi_encode()).await)?
            .and_then(|answer| decimalsCall::abi_decode_returns(&answer).ok()))
    }

    /// The token of a ledger number; `None` if none was ever listed with it.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn token_of(&self, ledger: LedgerId) -> Result<Option<Address>, ReadError> {
        let token = self.read_now(self.vault, IVault::tokenOfCall { ledger: ledger.0 }).await?;
        Ok((token != Address::ZERO).then_some(token))
    }

    /// Whether an account has a role of the vault, by the role's name, such as `PAUSER_ROLE`.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn has_role(&self, role: &str, account: Address) -> Result<bool, ReadError> {
        let role: B256 = keccak256(role);
        self.read_now(self.vault, hasRoleCall { role, account }).await
    }

    /// What an account has of the chain's own money at the newest block, wei.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn balance_now(&self, account: Address) -> Result<u128, ReadError> {
        let balance: U256 = self.ask(|p| async move { p.get_balance(account).await }).await?;
        Ok(u128::try_from(balance).unwrap_or(u128::MAX))
    }

    /// All listings the vault ever made, asked for at once; `None` where the node does not answer for
    /// so many blocks in one request.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn listings(&self, deployed: BlockNumber) -> Result<Option<Vec<Listing>>, ReadError> {
        let filter = Filter::new().event_signature(IVault::TokenListed::SIGNATURE_HASH);
        match self.logs_with(filter, deployed, None).await {
            Ok(logs) => Ok(Some(logs.iter().filter_map(listed).collect())),
            Err(e) if e.fault() == ReadFault::TooLarge => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn read_now<C: SolCall>(&self, to: Address, call: C) -> Result<C::Return, ReadError> {
        let answer = self.call_at_newest(to, call.abi_encode()).await?;
        C::abi_decode_returns(&answer)
            .map_err(|e| ReadError::Unusable(format!("{}: {e}", C::SIGNATURE)))
    }

    async fn call_at_newest(&self, to: Address, input: Vec<u8>) -> Result<Bytes, ReadError> {
        let request = TransactionRequest::default().with_to(to).with_input(input);
        let newest = BlockId::latest();
        let call = |p: DynProvider| {
            let request = request.clone();
            async move { p.call(request).block(newest).await }
        };
        self.ask(call).await
    }
}

impl Nodes {
    /// When a block was made, by the first endpoint that answers; `None` if it has none of that number.
    ///
    /// # Errors
    /// What the last endpoint said, if none answers.
    pub async fn time_of(&self, block: BlockNumber) -> Result<Option<UnixSeconds>, ReadError> {
        let header = self.first(|node| node.header(block.0.into())).await?;
        Ok(header.map(|h| h.timestamp))
    }
}

const fn listed(shown: &Shown) -> Option<Listing> {
    match shown.log.event {
        VaultEvent::Listed(listing) => Some(listing),
        VaultEvent::Deposited(_)
        | VaultEvent::Requested(_)
        | VaultEvent::Delisted(_)
        | VaultEvent::Withdrawal(_)
        | VaultEvent::Claimed
        | VaultEvent::NonceInvalidated => None,
    }
}

/// What a token said; that it refuses to say anything is no fault of the node's.
fn told(answer: Result<Bytes, ReadError>) -> Result<Option<Bytes>, ReadError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(ReadError::Refused { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A token's symbol as text for people: old tokens answer with 32 bytes instead of a string, and some
/// with what nobody should have to look at.
fn readable(answer: &[u8]) -> Option<String> {
    let text = match symbolCall::abi_decode_returns(answer) {
        Ok(text) => text,
        Err(_) if answer.len() < TEXT_AT => {
            String::from_utf8_lossy(answer).trim_end_matches('\0').to_owned()
        }
        Err(_) => return None,
    };
    let text: String =
        text.chars().filter(|c| c.is_ascii_graphic()).take(SYMBOL_CHARS_MAX).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_shown_as_text_of_bounded_length() {
        let string = |text: &str| symbolCall::abi_encode_returns(&text.to_owned());
        let mut old = b"MKR".to_vec();
        old.resize(32, 0);
        assert_eq!(readable(&string("TUSD")), Some("TUSD".to_owned()));
        assert_eq!(readable(&old), Some("MKR".to_owned()));
        assert_eq!(readable(&string("A\u{202e}B\n<i>")), Some("AB<i>".to_owned()));
        assert_eq!(readable(&string(&"X".repeat(900))), Some("X".repeat(16)));
        for nothing in [&[][..], &string(""), &[0xff; 70]] {
            assert_eq!(readable(nothing), None);
        }
    }
}
