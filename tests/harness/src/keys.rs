//! The development keys that every development node funds, by the part they play.
//!
//! They are public knowledge: worth nothing outside a development chain.

use alloy::{
    primitives::{Address, B256, b256},
    signers::{
        k256::elliptic_curve::rand_core::OsRng,
        local::{LocalSigner, PrivateKeySigner},
    },
};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// A part in the development setup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Deploys the contracts and administers the vault.
    Admin,
    /// Signs payouts and refusals.
    PayoutSigner,
    /// Sends the daemon's transactions.
    Submitter,
    /// May pause the vault.
    Pauser,
    /// May veto large payouts.
    Guardian,
    /// A user.
    Alice,
    /// A user.
    Bob,
    /// A user.
    Carol,
    /// A user.
    Dave,
    /// A user.
    Erin,
    /// Signs payouts and refusals, in a process of its own.
    SecondSigner,
    /// Signs payouts and refusals, in a process of its own.
    ThirdSigner,
}

/// All parts; a part's place is its number among the node's accounts.
pub const ROLES: [Role; 12] = [
    Role::Admin,
    Role::PayoutSigner,
    Role::Submitter,
    Role::Pauser,
    Role::Guardian,
    Role::Alice,
    Role::Bob,
    Role::Carol,
    Role::Dave,
    Role::Erin,
    Role::SecondSigner,
    Role::ThirdSigner,
];

/// Where signers have processes of their own: two of these three must sign.
pub const SIGNERS: [Role; 3] = [Role::PayoutSigner, Role::SecondSigner, Role::ThirdSigner];

impl Role {
    /// The name in `stack.json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::PayoutSigner => "payout_signer",
            Self::Submitter => "submitter",
            Self::Pauser => "pauser",
            Self::Guardian => "guardian",
            Self::Alice => "alice",
            Self::Bob => "bob",
            Self::Carol => "carol",
            Self::Dave => "dave",
            Self::Erin => "erin",
            Self::SecondSigner => "second_signer",
            Self::ThirdSigner => "third_signer",
        }
    }

    /// The private key.
    #[must_use]
    pub const fn private_key(self) -> B256 {
        match self {
            Self::Admin => KEYS[0],
            Self::PayoutSigner => KEYS[1],
            Self::Submitter => KEYS[2],
            Self::Pauser => KEYS[3],
            Self::Guardian => KEYS[4],
            Self::Alice => KEYS[5],
            Self::Bob => KEYS[6],
            Self::Carol => KEYS[7],
            Self::Dave => KEYS[8],
            Self::Erin => KEYS[9],
            Self::SecondSigner => KEYS[10],
            Self::ThirdSigner => KEYS[11],
        }
    }

    /// Signs for this part.
    ///
    /// # Errors
    /// Never for these keys; the library's type allows for bad ones.
    pub fn signer(self) -> Result<PrivateKeySigner> {
        Ok(PrivateKeySigner::from_bytes(&self.private_key())?)
    }

    /// The address.
    ///
    /// # Errors
    /// As for [`Role::signer`].
    pub fn address(self) -> Result<Address> {
        Ok(self.signer()?.address())
    }
}

/// Writes an encrypted keystore (Web3 secret storage, version 3) named `name` into `folder`.
///
/// # Errors
/// When the file cannot be written.
pub fn write_keystore(folder: &Path, name: &str, key: B256, password: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    LocalSigner::encrypt_keystore(folder, &mut OsRng, key, password, Some(name))
        .with_context(|| format!("cannot write the keystore {}", path.display()))?;
    Ok(path)
}

const KEYS: [B256; 12] = [
    b256!("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"),
    b256!("0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"),
    b256!("0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"),
    b256!("0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6"),
    b256!("0x47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a"),
    b256!("0x8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba"),
    b256!("0x92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e"),
    b256!("0x4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356"),
    b256!("0xdbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97"),
    b256!("0x2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6"),
    b256!("0xf214f2b2cd398c806f84e317254e0f0b801d0643303237d97a22a48e01628897"),
    b256!("0x701b615bbdfb9de65240bc28bd21bbc0d996645a3dd57e7b12bc2bdf6f192c82"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::temp::TempDir;

    #[test]
    fn a_keystore_gives_the_key_back() {
        let dir = TempDir::new("keys").unwrap();
        let key = Role::PayoutSigner.private_key();
        let path = write_keystore(dir.path(), "signer.json", key, "secret").unwrap();
        let signer = LocalSigner::decrypt_keystore(path, "secret").unwrap();
        assert_eq!(signer.address(), Role::PayoutSigner.address().unwrap());
    }
}
