//! Keys from encrypted keystore files. Secrets never reach logs, arguments or error texts.

use crate::{config::Keystore, exit::Failure};
use alloy::{
    primitives::{Address, address},
    signers::local::PrivateKeySigner,
};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

/// Chains where everybody knows the keys.
const DEVELOPMENT_CHAINS: [u64; 2] = [31_337, 1_337];
/// Accounts that development nodes print at their start: the twenty of Anvil's and Hardhat's mnemonic,
/// and the ten of Ganache's.
const WELL_KNOWN: [Address; 30] = [
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
    address!("0xBcd4042DE499D14e55001CcbB24a551F3b954096"),
    address!("0x71bE63f3384f5fb98995898A86B02Fb2426c5788"),
    address!("0xFABB0ac9d68B0B445fB7357272Ff202C5651694a"),
    address!("0x1CBd3b2770909D4e10f157cABC84C7264073C9Ec"),
    address!("0xdF3e18d64BC6A983f673Ab319CCaE4f1a57C7097"),
    address!("0xcd3B766CCDd6AE721141F452C550Ca635964ce71"),
    address!("0x2546BcD3c84621e976D8185a91A922aE77ECEc30"),
    address!("0xbDA5747bFD65F08deb54cb465eB87D40e51B197E"),
    address!("0xdD2FD4581271e230360230F9337D5c0430Bf44C0"),
    address!("0x8626f6940E2eb28930eFb4CeF49B2d1F2C9C1199"),
    address!("0x90F8bf6A479f320ead074411a4B0e7944Ea8c9C1"),
    address!("0xFFcf8FDEE72ac11b5c542428B35EEF5769C409f0"),
    address!("0x22d491Bde2303f2f43325b2108D26f1eAbA1e32b"),
    address!("0xE11BA2b4D45Eaed5996Cd0823791E0C93114882d"),
    address!("0xd03ea8624C8C5987235048901fB614fDcA89b117"),
    address!("0x95cED938F7991cd0dFcb48F0a06a40FA1aF46EBC"),
    address!("0x3E5e9111Ae8eB78Fe1CC3bb8915d5D461F3Ef9A9"),
    address!("0x28a8746e75304c0780E011BEd21C72cD78cd535E"),
    address!("0xACa94ef8bD5ffEE41947b4585a84BdA5a3d3DA6E"),
    address!("0x1dF62f291b2E969fB0849d99D9Ce41e2F137006e"),
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
    if !is_development(chain_id) {
        refuse_open_to_all(field, &keystore.path)?;
        refuse_open_to_all(field, &keystore.password_file)?;
    }
    let key = decrypt(keystore).map_err(|reason| {
        Failure::configuration(format!("{field} {}: {reason}", keystore.path.display()))
    })?;
    refuse_well_known(field, key.address(), chain_id)?;
    Ok(key)
}

/// Decrypts a keystore with the password of its file.
///
/// # Errors
/// What is wrong, for people.
pub fn decrypt(keystore: &Keystore) -> Result<PrivateKeySigner, String> {
    let password = fs::read_to_string(&keystore.password_file)
        .map_err(|e| format!("its password file {}: {e}", keystore.password_file.display()))?;
    let password = password.lines().next().unwrap_or_default();
    PrivateKeySigner::decrypt_keystore(&keystore.path, password)
        .map_err(|e| format!("{e}; is it a V3 keystore, and its password right?"))
}

/// True for chains where everybody knows the keys.
#[must_use]
pub const fn is_development(chain_id: u64) -> bool {
    chain_id == DEVELOPMENT_CHAINS[0] || chain_id == DEVELOPMENT_CHAINS[1]
}

/// True for keys that everybody knows.
#[must_use]
pub fn is_well_known(address: &Address) -> bool {
    WELL_KNOWN.contains(address)
}

/// The mode of a file that any user of the machine can use; `None` where none can, or there is no
/// such file.
#[must_use]
pub fn mode_open_to_all(path: &Path) -> Option<u32> {
    const OTHERS: u32 = 0o007;
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & OTHERS != 0).then_some(mode)
}

/// A key that any user of the machine can read is no secret. That a file is missing is told when it is
/// read.
fn refuse_open_to_all(field: &str, path: &Path) -> Result<(), Failure> {
    let Some(mode) = mode_open_to_all(path) else { return Ok(()) };
    Err(Failure::configuration(format!(
        "{field}: {} is open to every user of this machine (mode {mode:o}); chmod 600 it",
        path.display()
    )))
}

fn refuse_well_known(field: &str, address: Address, chain_id: u64) -> Result<(), Failure> {
    if is_well_known(&address) && !is_development(chain_id) {
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
        for known in WELL_KNOWN {
            assert!(refuse_well_known("signer", known, 31_337).is_ok());
            let refused = refuse_well_known("signer", known, 1).unwrap_err();
            assert!(refused.message.contains("development key"), "{}", refused.message);
        }
        assert!(refuse_well_known("signer", Address::repeat_byte(7), 1).is_ok());
    }

    #[test]
    fn files_that_everybody_can_read_are_refused() {
        let path = std::env::temp_dir().join(format!("sovrd-key-{}", std::process::id()));
        fs::write(&path, "secret").unwrap();
        for (mode, fine) in [(0o600, true), (0o440, true), (0o604, false), (0o644, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let said = refuse_open_to_all("payouts.signer_keystore", &path);
            assert_eq!(said.is_ok(), fine, "{mode:o}");
        }
        fs::remove_file(&path).unwrap();
    }
}
