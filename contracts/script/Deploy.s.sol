// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Script} from "forge-std/Script.sol";
import {console2} from "forge-std/console2.sol";

import {Vault} from "../src/Vault.sol";
import {TestToken} from "../src/dev/TestToken.sol";
import {IVault} from "../src/interfaces/IVault.sol";

/// @title Deploys a vault and checks the result
/// @notice Everything is set in the constructor, so the deployer never holds a role it was not
/// given by name. Read from the environment:
///
/// SOVR_ADMIN, SOVR_PAUSER, SOVR_SIGNERS (comma-separated, any order), SOVR_THRESHOLD: required.
///
/// SOVR_GUARDIAN (none), SOVR_ADMIN_DELAY (86400 seconds; 0 on development chains),
/// SOVR_MIN_DEADLINE (3600), SOVR_MAX_DEADLINE (604800), SOVR_MAX_OPEN_WITHDRAWALS (16),
/// SOVR_DOLLAR (an existing six-decimal token for ledger 1002; on development chains a mintable one
/// is deployed instead when it is missing): optional.
contract Deploy is Script {
    /// @notice The environment variable is needed where no test token may be deployed.
    error SetDollarToken(uint256 chainId);

    /// @notice The fresh vault is not what was asked for; `what` names the first difference.
    error DeploymentDiffers(string what);

    address private constant ETHER = 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE;
    uint32 private constant ETHER_LEDGER = 1001;
    uint32 private constant DOLLAR_LEDGER = 1002;

    /// @notice Deploys, lists ether and the dollar token, checks, and says where everything is.
    function run() external returns (address vault, address dollar) {
        bool development = block.chainid == 31_337 || block.chainid == 1337;
        dollar = vm.envOr("SOVR_DOLLAR", address(0));
        if (dollar == address(0) && !development) revert SetDollarToken(block.chainid);

        IVault.VaultConfig memory config = IVault.VaultConfig({
            admin: vm.envAddress("SOVR_ADMIN"),
            adminDelay: uint48(vm.envOr("SOVR_ADMIN_DELAY", uint256(development ? 0 : 1 days))),
            pauser: vm.envAddress("SOVR_PAUSER"),
            guardian: vm.envOr("SOVR_GUARDIAN", address(0)),
            signers: _sorted(vm.envAddress("SOVR_SIGNERS", ",")),
            threshold: vm.envUint("SOVR_THRESHOLD"),
            minDeadline: uint64(vm.envOr("SOVR_MIN_DEADLINE", uint256(1 hours))),
            maxDeadline: uint64(vm.envOr("SOVR_MAX_DEADLINE", uint256(7 days))),
            maxOpenWithdrawals: uint32(vm.envOr("SOVR_MAX_OPEN_WITHDRAWALS", uint256(16))),
            listings: new IVault.ListingConfig[](2)
        });

        vm.startBroadcast();
        (, address deployer,) = vm.readCallers();
        if (dollar == address(0)) dollar = address(new TestToken());
        // Eight decimals in the ledger for ether, cents for the dollar.
        config.listings[0] = IVault.ListingConfig({
            token: ETHER,
            ledger: ETHER_LEDGER,
            scaleDivisor: 1e10,
            creditsMeasuredDelta: false,
            minDeposit: 0.0001 ether,
            minWithdrawal: 0.0001 ether,
            depositCap: 1_000_000 ether
        });
        config.listings[1] = IVault.ListingConfig({
            token: dollar,
            ledger: DOLLAR_LEDGER,
            scaleDivisor: 1e4,
            creditsMeasuredDelta: false,
            minDeposit: 1e4,
            minWithdrawal: 1e4,
            depositCap: 1_000_000_000e6
        });
        Vault deployed = new Vault(config);
        vm.stopBroadcast();

        _check(deployed, config, deployer);
        vault = address(deployed);
        console2.log("vault", vault);
        console2.log("dollar", dollar);
        console2.log("deployer", deployer);
        console2.log("last seq", deployed.lastSeq());
    }

    /// @dev Runs against the simulated result, so a fault stops the script before anything is sent.
    function _check(Vault vault, IVault.VaultConfig memory config, address deployer) private view {
        bytes32 adminRole = vault.DEFAULT_ADMIN_ROLE();
        _require(vault.defaultAdmin() == config.admin, "admin");
        _require(vault.defaultAdminDelay() == config.adminDelay, "admin delay");
        _require(vault.hasRole(vault.PAUSER_ROLE(), config.pauser), "pauser");
        _require(
            config.guardian == address(0) || vault.hasRole(vault.GUARDIAN_ROLE(), config.guardian),
            "guardian"
        );
        _require(
            deployer == config.admin || !vault.hasRole(adminRole, deployer), "deployer is admin"
        );
        _require(
            deployer == config.pauser || !vault.hasRole(vault.PAUSER_ROLE(), deployer),
            "deployer is pauser"
        );
        _require(
            deployer == config.guardian || !vault.hasRole(vault.GUARDIAN_ROLE(), deployer),
            "deployer is guardian"
        );
        _require(
            keccak256(abi.encode(vault.signers())) == keccak256(abi.encode(config.signers)),
            "signers"
        );
        _require(vault.threshold() == config.threshold, "threshold");
        _require(vault.minDeadline() == config.minDeadline, "minimum deadline");
        _require(vault.maxDeadline() == config.maxDeadline, "maximum deadline");
        _require(vault.maxOpenWithdrawals() == config.maxOpenWithdrawals, "open withdrawals");
        _require(vault.lastSeq() == config.listings.length, "sequence");
        for (uint256 i = 0; i < config.listings.length; ++i) {
            IVault.ListingConfig memory wanted = config.listings[i];
            IVault.Listing memory listing = vault.listingOf(wanted.token);
            _require(vault.tokenOf(wanted.ledger) == wanted.token, "ledger");
            _require(listing.ledger == wanted.ledger, "listing's ledger");
            _require(listing.depositsOpen, "deposits");
            _require(listing.scaleDivisor == wanted.scaleDivisor, "scale divisor");
            _require(listing.minDeposit == wanted.minDeposit, "minimum deposit");
            _require(listing.minWithdrawal == wanted.minWithdrawal, "minimum withdrawal");
            _require(listing.depositCap == wanted.depositCap, "deposit cap");
        }
    }

    function _require(bool condition, string memory what) private pure {
        if (!condition) revert DeploymentDiffers(what);
    }

    /// @dev The vault asks for ascending order; a person should not have to.
    function _sorted(address[] memory list) private pure returns (address[] memory) {
        for (uint256 i = 1; i < list.length; ++i) {
            for (uint256 j = i; j > 0 && list[j] < list[j - 1]; --j) {
                (list[j], list[j - 1]) = (list[j - 1], list[j]);
            }
        }
        return list;
    }
}
