//! Keys from encrypted keystore files. Secrets never reach logs, arguments or error texts.

use crate::{config::Keystore, exit::Failure};
use alloy::{
    primitives::{Address, address},
    signers::local::PrivateKeySigner,
};

/// Chains where everybody knows the keys.
const DEVELOPMENT_CHAINS: [u64; 2] = [31_337, 1_337];
/// Accounts of the mnemonic that Anvil and Hardhat print at their start.
const WELL_KNOWN: [Address; 10] = [
    address!("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
    address!("0x70997970C51812dc3A010C7d01b50e0d17dc79C8"),
    address!("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"),
    address!("0x90F79bf6EB2c4f870365E785982E1f101E93b906"),
    address!("0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"),
    address!("0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc"),
    address!("0x976EA74026E726554dB657fA54763abd0C3a0aa9"),
    address!("0x14dC79964da2C08b23698B3D3cc7Ca32193d9955"),
    address!("0x23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f"),
    address!("0xa0Ee7A142d267C1f36714E4a8F75612F20a79720"),
];

/// Opens a keystore of `[payouts]`.
///
/// # Errors
/// As for [`open_file`].
pub fn open(role: &str, keystore: &Keystore, chain_id: u64) -> Result<PrivateKeySigner, Failure> {
    open_file(&format!("payouts.{role}_keystore"), keystore, chain_id)
}

/// Opens a keystore; `field` names where its path was given.
///
/// # Errors
/// If a file cannot be read, the password is wrong, or the key is publicly known and the chain is
/// no development chain.
pub fn open_file(
    field: &str,
    keystore: &Keystore,
    chain_id: u64,
) -> Result<PrivateKeySigner, Failure> {
    let password = std::fs::read_to_string(&keystore.password_file).map_err(|e| {
        let path = keystore.password_file.display();
        Failure::configuration(format!("{field}: its password file {path}: {e}"))
    })?;
    let password = password.lines().next().unwrap_or_default();
    let key = PrivateKeySigner::decrypt_keystore(&keystore.path, password).map_err(|e| {
        let path = keystore.path.display();
        Failure::configuration(format!(
            "{field} {path}: {e}; is it a V3 keystore, and its password right?"
        ))
    })?;
    refuse_well_known(field, key.address(), chain_id)?;
    Ok(key)
}

fn refuse_well_known(field: &str, address: Address, chain_id: u64) -> Result<(), Failure> {
    if WELL_KNOWN.contains(&address) && !DEVELOPMENT_CHAINS.contains(&chain_id) {
        return Err(Failure::configuration(format!(
            "{field}: {address} is a development key that everybody knows; \
             chain {chain_id} is no development chain. Make a key of your own (cast wallet new)"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn development_keys_stay_on_development_chains() {
        assert!(refuse_well_known("signer", WELL_KNOWN[3], 31_337).is_ok());
        let refused = refuse_well_known("signer", WELL_KNOWN[3], 1).unwrap_err();
        assert!(refused.message.contains("development key"), "{}", refused.message);
        assert!(refuse_well_known("signer", Address::repeat_byte(7), 1).is_ok());
    }
}
