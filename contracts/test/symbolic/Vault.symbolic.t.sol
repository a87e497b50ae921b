// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IVault} from "../../src/interfaces/IVault.sol";
import {VaultTest} from "../utils/VaultTest.sol";

/// @dev Proofs over all values of their parameters, made by `scripts/symbolic`. The signature
/// recovery and the hash are uninterpreted functions there: hashes do not collide, and whether a
/// signature recovers to a signer is left open.
contract VaultSymbolicTest is VaultTest {
    address private constant RECEIVER = address(0xaaaa);
    address private constant OWNER = address(0xbbbb);

    function setUp() public override {
        vm.warp(1_700_000_000);
        admin = address(0xad);
        pauser = address(0xba);
        guardian = address(0x6a);
        signerList = [vm.addr(1), vm.addr(2), vm.addr(3)];
        signerKeys = [uint256(1), 2, 3];
        // Addresses are symbols here, so their order is assumed instead of made.
        vm.assume(address(0) < signerList[0]);
        vm.assume(signerList[0] < signerList[1] && signerList[1] < signerList[2]);
        IVault.VaultConfig memory config = _config();
        IVault.ListingConfig[] memory listings = new IVault.ListingConfig[](1);
        listings[0] = _etherListing();
        config.listings = listings;
        vault = IVault(_create(abi.encodePacked(vm.getCode("Vault.sol:Vault"), abi.encode(config))));
        vm.deal(OWNER, type(uint128).max);
    }

    function _create(bytes memory code) private returns (address made) {
        assembly ("memory-safe") {
            made := create(0, add(code, 0x20), mload(code))
        }
        assert(made != address(0));
    }

    // ---------------------------------------------------------------- domain separation

    /// @dev No request has the id of an intent, whatever their fields.
    function check_RequestAndIntentIdsDiffer(Withdrawal memory a, Withdrawal memory b) public view {
        assert(vault.withdrawalId(Kind.Request, a) != vault.withdrawalId(Kind.Intent, b));
    }

    /// @dev Two withdrawals of one kind have the same id only where they are the same.
    function check_TheIdCommitsToEveryField(Withdrawal memory a, Withdrawal memory b) public view {
        if (vault.withdrawalId(Kind.Intent, a) != vault.withdrawalId(Kind.Intent, b)) return;
        assert(a.owner == b.owner && a.to == b.to && a.token == b.token);
        assert(a.amount == b.amount && a.fee == b.fee);
        assert(a.nonce == b.nonce && a.deadline == b.deadline);
    }

    /// @dev What is signed to pay is never what is signed to refuse, at the root and at the leaves.
    function check_PayingAndRefusingDiffer(bytes32 a, bytes32 b, uint8 kind, uint8 reason)
        public
        view
    {
        vm.assume(kind <= uint8(Kind.Intent) && reason <= uint8(RefusalReason.Operator));
        assert(vault.payoutRootDigest(a) != vault.refusalRootDigest(b));
        assert(vault.payoutLeaf(Kind(kind), a) != vault.refusalLeaf(b, RefusalReason(reason)));
    }

    // ---------------------------------------------------------------- conservation

    /// @dev A deposit that is taken is credited in full, once, and counted.
    function check_DepositsAreConserved(uint256 amount) public {
        uint64 seq = vault.lastSeq();
        uint256 before = vault.accounted(ETHER);
        vm.prank(OWNER);
        (bool success,) =
            address(vault).call{value: amount}(abi.encodeCall(vault.depositEther, (OWNER)));
        uint256 credited = success ? amount : 0;
        assert(vault.accounted(ETHER) == before + credited);
        assert(address(vault).balance == credited);
        assert(vault.lastSeq() == seq + (success ? 1 : 0));
    }

    /// @dev A payout takes from the books what leaves the vault, and a request is paid or queued
    /// once only.
    function check_APaidRequestIsSpent(uint128 deposited, uint128 amount) public {
        _fund(deposited);
        (PayoutItem memory item, bytes[] memory signatures) = _signedRequest(amount);
        uint64 seq = vault.lastSeq();
        (bool success,) = address(vault).call(abi.encodeCall(vault.payout, (item, signatures)));
        if (!success) {
            assert(vault.accounted(ETHER) == deposited);
            assert(vault.lastSeq() == seq);
            return;
        }
        // A large one waits: nothing has left yet, and it cannot be paid twice either.
        bool waits = amount > _etherListing().payouts.queueAbove;
        uint256 left = waits ? 0 : amount;
        assert(vault.accounted(ETHER) == deposited - left);
        assert(address(vault).balance == deposited - left);
        assert(RECEIVER.balance == left);
        assert(vault.lastSeq() == seq + 1);
        (bool again,) = address(vault).call(abi.encodeCall(vault.payout, (item, signatures)));
        assert(!again);
        assert(RECEIVER.balance == left);
    }

    // ---------------------------------------------------------------- threshold

    /// @dev Whatever the admin sets, at least one signature is needed and enough signers exist.
    function check_TheThresholdIsWithinASetOfTwo(address a, address b, uint256 wanted) public {
        address[] memory set = new address[](2);
        (set[0], set[1]) = (a, b);
        _checkThreshold(set, wanted);
    }

    function check_TheThresholdIsWithinASetOfOne(address a, uint256 wanted) public {
        address[] memory set = new address[](1);
        set[0] = a;
        _checkThreshold(set, wanted);
    }

    function check_NoSetIsEmpty(uint256 wanted) public {
        _checkThreshold(new address[](0), wanted);
    }

    function _checkThreshold(address[] memory set, uint256 wanted) private {
        vm.prank(admin);
        (bool success,) = address(vault).call(abi.encodeCall(vault.setSigners, (set, wanted)));
        uint256 threshold = vault.threshold();
        assert(threshold >= 1 && threshold <= vault.signers().length);
        assert(threshold == (success ? wanted : THRESHOLD));
        if (success) assert(vault.signers().length == set.length);
    }

    /// @dev One signature of whatever bytes never pays where two are needed.
    function check_OneSignatureNeverPays(bytes32 r, bytes32 s, uint8 v) public {
        _fund(1 ether);
        (PayoutItem memory item,) = _signedRequest(0.5 ether);
        bytes[] memory one = new bytes[](1);
        one[0] = abi.encodePacked(r, s, v);
        (bool success,) = address(vault).call(abi.encodeCall(vault.payout, (item, one)));
        assert(!success);
        assert(RECEIVER.balance == 0);
    }

    /// @dev One signer's signature, given twice, counts once.
    function check_ASignatureCountsOnce(bytes32 r, bytes32 s, uint8 v) public {
        _fund(1 ether);
        (PayoutItem memory item,) = _signedRequest(0.5 ether);
        bytes[] memory twice = new bytes[](2);
        twice[0] = abi.encodePacked(r, s, v);
        twice[1] = twice[0];
        (bool success,) = address(vault).call(abi.encodeCall(vault.payout, (item, twice)));
        assert(!success);
        assert(RECEIVER.balance == 0);
    }

    // ---------------------------------------------------------------- helpers

    function _fund(uint128 amount) private {
        vm.prank(OWNER);
        (bool success,) =
            address(vault).call{value: amount}(abi.encodeCall(vault.depositEther, (OWNER)));
        vm.assume(success);
    }

    function _signedRequest(uint128 amount)
        private
        returns (PayoutItem memory item, bytes[] memory signatures)
    {
        uint64 deadline = uint64(block.timestamp) + 1 days;
        vm.prank(OWNER);
        (bool success,) = address(vault)
            .call(abi.encodeCall(vault.requestWithdrawal, (ETHER, RECEIVER, amount, deadline)));
        vm.assume(success);
        item =
            _requestItem(Withdrawal(OWNER, RECEIVER, ETHER, amount, 0, vault.lastSeq(), deadline));
        bytes32 id = vault.withdrawalId(Kind.Request, item.withdrawal);
        signatures = _quorum(vault.payoutRootDigest(vault.payoutLeaf(Kind.Request, id)), THRESHOLD);
    }
}
