// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Vm} from "forge-std/Vm.sol";

import {Vault} from "../src/Vault.sol";
import {TestToken} from "../src/dev/TestToken.sol";
import {IVault} from "../src/interfaces/IVault.sol";
import {IVaultTypes} from "../src/interfaces/IVaultTypes.sol";

/// @title A configured vault for somebody else's tests
/// @notice `SovrFixture sovr = new SovrFixture();` in a forge test gives a vault with ether (ledger
/// 1001) and a six-decimal dollar (ledger 1002), and plays the ledger behind it: it signs payouts
/// and refusals with two of three keys of its own. The fixture is admin, pauser and guardian.
contract SovrFixture is IVaultTypes {
    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @notice Stands for ether wherever a token address is asked for.
    address public constant ETHER = 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE;

    /// @notice The vault under test.
    IVault public immutable vault;

    /// @notice The listed six-decimal dollar; anybody may mint it.
    TestToken public immutable dollar;

    uint256[] private _keys;

    constructor() {
        address[] memory signers = _makeSigners(3);
        dollar = new TestToken();
        IVault.VaultConfig memory config;
        config.admin = address(this);
        config.pauser = address(this);
        config.guardian = address(this);
        config.signers = signers;
        config.threshold = 2;
        config.minDeadline = 1 hours;
        config.maxDeadline = 7 days;
        config.maxOpenWithdrawals = 16;
        config.queueWindow = 1 days;
        config.queueWindowBlocks = 300;
        config.queueLifetime = 7 days;
        config.listings = new IVault.ListingConfig[](2);
        config.listings[0] = _listing(ETHER, 1001, 1e10, 0.001 ether);
        config.listings[1] = _listing(address(dollar), 1002, 1e4, 1e6);
        vault = new Vault(config);
    }

    /// @notice Creates dollars for `to`; `amount` in token units (six decimals).
    function mintDollars(address to, uint256 amount) external {
        dollar.mint(to, amount);
    }

    /// @notice Lists another token under the given ledger number, divisor and minima of one unit.
    function list(address token, uint32 ledger) external {
        vault.listToken(_listing(token, ledger, 1, 1));
    }

    /// @notice The request that `owner` has just made, as the vault stored it; call it right after
    /// `requestWithdrawal`, with the same values.
    function lastRequest(address owner, address token, address to, uint128 amount, uint64 deadline)
        external
        view
        returns (Withdrawal memory)
    {
        return Withdrawal(owner, to, token, amount, 0, vault.lastSeq(), deadline);
    }

    /// @notice The ledger agrees: pays the request with a quorum's signatures, or reverts as
    /// `payout` does.
    function pay(Withdrawal calldata withdrawal) external {
        PayoutItem memory item;
        item.kind = Kind.Request;
        item.withdrawal = withdrawal;
        bytes32 leaf = vault.payoutLeaf(Kind.Request, vault.withdrawalId(Kind.Request, withdrawal));
        vault.payout(item, _sign(vault.payoutRootDigest(leaf)));
    }

    /// @notice The ledger declines: refuses the request with a quorum's signatures, or reverts as
    /// `refuse` does.
    function refuse(Withdrawal calldata withdrawal, RefusalReason reason) external {
        RefusalItem memory item;
        item.kind = Kind.Request;
        item.withdrawal = withdrawal;
        item.reason = reason;
        bytes32 id = vault.withdrawalId(Kind.Request, withdrawal);
        vault.refuse(item, _sign(vault.refusalRootDigest(vault.refusalLeaf(id, reason))));
    }

    /// @notice Sets what payouts of a token are held to.
    function limitPayouts(address token, IVault.PayoutLimits calldata limits) external {
        vault.setPayoutLimits(token, limits);
    }

    /// @notice Pauses deposits, as an operator would in an emergency.
    function pauseDeposits() external {
        vault.pauseDeposits();
    }

    function _listing(address token, uint32 ledger, uint128 divisor, uint128 minimum)
        private
        pure
        returns (IVault.ListingConfig memory listing)
    {
        listing.token = token;
        listing.ledger = ledger;
        listing.scaleDivisor = divisor;
        listing.minDeposit = minimum;
        listing.minWithdrawal = minimum;
        listing.depositCap = type(uint128).max;
        // Payouts are not limited here: who wants to meet the queue or the budget sets them.
        listing.payouts =
            IVault.PayoutLimits(type(uint128).max, type(uint128).max, type(uint128).max, 1 days);
    }

    /// @dev Keys in the order of their addresses, which is the order of signatures.
    function _makeSigners(uint256 count) private returns (address[] memory signers) {
        signers = new address[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 key = uint256(keccak256(abi.encode("sovr fixture signer", i)));
            address signer = VM.addr(key);
            _keys.push(key);
            uint256 j = i;
            for (; j > 0 && signers[j - 1] > signer; --j) {
                signers[j] = signers[j - 1];
                _keys[j] = _keys[j - 1];
            }
            signers[j] = signer;
            _keys[j] = key;
        }
    }

    function _sign(bytes32 digest) private view returns (bytes[] memory signatures) {
        signatures = new bytes[](2);
        for (uint256 i = 0; i < signatures.length; ++i) {
            (uint8 v, bytes32 r, bytes32 s) = VM.sign(_keys[i], digest);
            signatures[i] = abi.encodePacked(r, s, v);
        }
    }
}
