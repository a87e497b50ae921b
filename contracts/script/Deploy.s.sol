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
/// Optional, with defaults in brackets, those of development chains after the slash: SOVR_GUARDIAN
/// (none), SOVR_ADMIN_DELAY (86400 / 0 seconds), SOVR_LOOSENING_DELAY (172800 / 0 seconds),
/// SOVR_MIN_DEADLINE (3600), SOVR_MAX_DEADLINE (604800), SOVR_MAX_OPEN_WITHDRAWALS (16),
/// SOVR_QUEUE_WINDOW (86400 / 60 seconds), SOVR_QUEUE_BLOCKS (300 / 1), SOVR_QUEUE_LIFETIME (604800
/// seconds), SOVR_BUDGET_PERIOD (86400 seconds).
///
/// Per token, in whole ether and whole dollars: SOVR_ETHER_CAP (1000000), SOVR_ETHER_MAX_PAYOUT
/// (500 / 100000), SOVR_ETHER_QUEUE_ABOVE (100 / 10000), SOVR_ETHER_BUDGET (1000 / 1000000),
/// SOVR_DOLLAR_CAP (1000000000), SOVR_DOLLAR_MAX_PAYOUT (1000000 / 100000000),
/// SOVR_DOLLAR_QUEUE_ABOVE (250000 / 10000000), SOVR_DOLLAR_BUDGET (2000000 / 1000000000).
///
/// SOVR_DOLLAR (an existing six-decimal token for ledger 1002; on development chains a mintable one
/// is deployed instead when it is missing).
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
        dollar = vm.envOr("SOVR_DOLLAR", address(0));
        if (dollar == address(0) && !_development()) revert SetDollarToken(block.chainid);
        IVault.VaultConfig memory config = _settings();

        vm.startBroadcast();
        (, address deployer,) = vm.readCallers();
        if (dollar == address(0)) dollar = address(new TestToken());
        config.listings[0] = _ether();
        config.listings[1] = _dollar(dollar);
        Vault deployed = new Vault(config);
        vm.stopBroadcast();

        _check(deployed, config, deployer);
        vault = address(deployed);
        console2.log("vault", vault);
        console2.log("dollar", dollar);
        console2.log("deployer", deployer);
        console2.log("last seq", deployed.lastSeq());
    }

    function _development() private view returns (bool) {
        return block.chainid == 31_337 || block.chainid == 1337;
    }

    function _settings() private view returns (IVault.VaultConfig memory) {
        return IVault.VaultConfig({
            admin: vm.envAddress("SOVR_ADMIN"),
            adminDelay: uint48(_number("SOVR_ADMIN_DELAY", 1 days, 0)),
            looseningDelay: uint48(_number("SOVR_LOOSENING_DELAY", 2 days, 0)),
            pauser: vm.envAddress("SOVR_PAUSER"),
            guardian: vm.envOr("SOVR_GUARDIAN", address(0)),
            signers: _sorted(vm.envAddress("SOVR_SIGNERS", ",")),
            threshold: vm.envUint("SOVR_THRESHOLD"),
            minDeadline: uint64(_number("SOVR_MIN_DEADLINE", 1 hours, 1 hours)),
            maxDeadline: uint64(_number("SOVR_MAX_DEADLINE", 7 days, 7 days)),
            maxOpenWithdrawals: uint32(_number("SOVR_MAX_OPEN_WITHDRAWALS", 16, 16)),
            queueWindow: uint32(_number("SOVR_QUEUE_WINDOW", 1 days, 1 minutes)),
            queueWindowBlocks: uint32(_number("SOVR_QUEUE_BLOCKS", 300, 1)),
            queueLifetime: uint32(_number("SOVR_QUEUE_LIFETIME", 7 days, 7 days)),
            listings: new IVault.ListingConfig[](2)
        });
    }

    /// @dev Eight decimals in the ledger.
    function _ether() private view returns (IVault.ListingConfig memory) {
        return IVault.ListingConfig({
            token: ETHER,
            ledger: ETHER_LEDGER,
            scaleDivisor: 1e10,
            creditsMeasuredDelta: false,
            minDeposit: 0.0001 ether,
            minWithdrawal: 0.0001 ether,
            depositCap: uint128(_number("SOVR_ETHER_CAP", 1_000_000, 1_000_000) * 1 ether),
            payouts: IVault.PayoutLimits({
                maxPayout: uint128(_number("SOVR_ETHER_MAX_PAYOUT", 500, 100_000) * 1 ether),
                queueAbove: uint128(_number("SOVR_ETHER_QUEUE_ABOVE", 100, 10_000) * 1 ether),
                budgetCapacity: uint128(_number("SOVR_ETHER_BUDGET", 1000, 1_000_000) * 1 ether),
                budgetPeriod: uint32(_number("SOVR_BUDGET_PERIOD", 1 days, 1 days))
            })
        });
    }

    /// @dev Cents in the ledger.
    function _dollar(address token) private view returns (IVault.ListingConfig memory) {
        return IVault.ListingConfig({
            token: token,
            ledger: DOLLAR_LEDGER,
            scaleDivisor: 1e4,
            creditsMeasuredDelta: false,
            minDeposit: 1e4,
            minWithdrawal: 1e4,
            depositCap: uint128(_number("SOVR_DOLLAR_CAP", 1e9, 1e9) * 1e6),
            payouts: IVault.PayoutLimits({
                maxPayout: uint128(_number("SOVR_DOLLAR_MAX_PAYOUT", 1e6, 1e8) * 1e6),
                queueAbove: uint128(_number("SOVR_DOLLAR_QUEUE_ABOVE", 250_000, 1e7) * 1e6),
                budgetCapacity: uint128(_number("SOVR_DOLLAR_BUDGET", 2e6, 1e9) * 1e6),
                budgetPeriod: uint32(_number("SOVR_BUDGET_PERIOD", 1 days, 1 days))
            })
        });
    }

    function _number(string memory name, uint256 real, uint256 development)
        private
        view
        returns (uint256)
    {
        return vm.envOr(name, _development() ? development : real);
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
        _require(vault.threshold() == config.threshold && config.threshold >= 1, "threshold");
        _require(
            keccak256(abi.encode(vault.settings())) == keccak256(abi.encode(_fixed(config))),
            "settings"
        );
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
            _require(
                keccak256(abi.encode(listing.payouts)) == keccak256(abi.encode(wanted.payouts)),
                "payout limits"
            );
        }
    }

    function _fixed(IVault.VaultConfig memory config)
        private
        pure
        returns (IVault.Settings memory)
    {
        return IVault.Settings({
            minDeadline: config.minDeadline,
            maxDeadline: config.maxDeadline,
            maxOpenWithdrawals: config.maxOpenWithdrawals,
            looseningDelay: config.looseningDelay,
            queueWindow: config.queueWindow,
            queueWindowBlocks: config.queueWindowBlocks,
            queueLifetime: config.queueLifetime
        });
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
