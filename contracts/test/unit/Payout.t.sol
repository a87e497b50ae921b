// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IVault} from "../../src/interfaces/IVault.sol";
import {
    BurningWallet,
    DataBomber,
    GasBurner,
    HungryReceiver,
    ReentrantReceiver,
    Rejecter,
    ShortWallet,
    Wallet
} from "../mocks/Accounts.sol";
import {VaultTest} from "../utils/VaultTest.sol";

contract PayoutTest is VaultTest {
    address internal carol = makeAddr("carol");

    function setUp() public override {
        super.setUp();
        _depositEther(alice, 100 ether);
        _depositDollar(alice, 1000 * DOLLAR);
    }

    // ---------------------------------------------------------------- requests

    function test_ARequestIsPaidInEther() public {
        (Withdrawal memory w, bytes32 id) = _request(alice, ETHER, carol, 1 ether);
        _expectEvent();
        emit Paid(id, ETHER, alice, 6, Kind.Request, 5, carol, 1 ether, 0);
        _payout(_requestItem(w));
        assertEq(carol.balance, 1 ether);
        assertEq(vault.accounted(ETHER), 99 ether);
        assertEq(vault.openWithdrawals(alice), 0);
        assertEq(vault.lastSeq(), 6);
        _assertState(id, State.Paid);
    }

    function test_ARequestIsPaidInDollars() public {
        (Withdrawal memory w, bytes32 id) = _request(alice, address(dollar), carol, 5 * DOLLAR);
        _payout(_requestItem(w));
        assertEq(dollar.balanceOf(carol), 5 * DOLLAR);
        assertEq(vault.accounted(address(dollar)), 995 * DOLLAR);
        _assertState(id, State.Paid);
    }

    function test_NothingIsPaidTwice() public {
        (Withdrawal memory w, bytes32 id) = _request(alice, ETHER, carol, 1 ether);
        PayoutItem memory item = _requestItem(w);
        _payout(item);
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(item));
        vm.expectRevert(
            abi.encodeWithSelector(WithdrawalNotPayable.selector, id, Kind.Request, State.Paid)
        );
        vault.payout(item, signatures);
        assertEq(carol.balance, 1 ether);
    }

    function testFuzz_NoFieldOfARequestCanBeChanged(uint8 field, uint256 salt) public {
        (Withdrawal memory w,) = _request(alice, ETHER, carol, 1 ether);
        field = uint8(bound(field, 0, 6));
        uint160 other = uint160(bound(salt, 1, type(uint128).max));
        if (field == 0) w.owner = address(uint160(w.owner) ^ other);
        if (field == 1) w.to = address(uint160(w.to) ^ other);
        if (field == 2) w.token = address(uint160(w.token) ^ other);
        if (field == 3) w.amount ^= uint128(other);
        if (field == 4) w.fee ^= uint128(other);
        if (field == 5) w.nonce ^= other;
        if (field == 6) w.deadline ^= uint64(bound(salt, 1, type(uint64).max));
        // A broken promise of the signers is stopped by the request itself.
        PayoutItem memory item = _requestItem(w);
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(item));
        vm.expectRevert(
            abi.encodeWithSelector(
                WithdrawalNotPayable.selector, _id(Kind.Request, w), Kind.Request, State.None
            )
        );
        vault.payout(item, signatures);
    }

    function test_NothingIsPaidAfterTheDeadline() public {
        (Withdrawal memory w, bytes32 id) = _request(alice, ETHER, carol, 1 ether);
        PayoutItem memory item = _requestItem(w);
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(item));
        vm.warp(uint256(w.deadline) + 1);
        vm.expectRevert(abi.encodeWithSelector(DeadlinePassed.selector, id, w.deadline));
        vault.payout(item, signatures);
        // The deadline itself is still in time.
        vm.warp(w.deadline);
        vault.payout(item, signatures);
        _assertState(id, State.Paid);
    }

    function test_TheBooksCannotBeOverdrawn() public {
        // Donated ether is there, but it is not the ledger's.
        vm.deal(address(vault), 500 ether);
        (Withdrawal memory w,) = _request(alice, ETHER, carol, 101 ether);
        PayoutItem memory item = _requestItem(w);
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(item));
        vm.expectRevert(
            abi.encodeWithSelector(AccountedTooLow.selector, ETHER, 100 ether, 101 ether)
        );
        vault.payout(item, signatures);
    }

    // ---------------------------------------------------------------- intents

    function test_AnIntentIsPaid() public {
        Withdrawal memory w = _intent(alice, ETHER, carol, 1 ether, 77);
        w.fee = 0.1 ether;
        bytes32 id = _id(Kind.Intent, w);
        _expectEvent();
        emit Paid(id, ETHER, alice, 5, Kind.Intent, 77, carol, 1 ether, 0.1 ether);
        _payout(_intentItem(w, aliceKey));
        assertEq(carol.balance, 1 ether);
        // The fee was owed besides: it stays in the vault, for the ledger to book.
        assertEq(vault.accounted(ETHER), 99 ether);
        _assertState(id, State.Paid);
        assertEq(vault.openWithdrawals(alice), 0);
    }

    function test_AnIntentIsPaidOnlyOnce() public {
        Withdrawal memory w = _intent(alice, ETHER, carol, 1 ether, 77);
        PayoutItem memory item = _intentItem(w, aliceKey);
        _payout(item);
        _expectFault(
            item,
            abi.encodeWithSelector(
                WithdrawalNotPayable.selector, _id(Kind.Intent, w), Kind.Intent, State.Paid
            )
        );
    }

    function testFuzz_AnIntentNeedsItsOwnersKey(uint256 key) public {
        key = bound(key, 1, 1e60);
        vm.assume(vm.addr(key) != alice);
        Withdrawal memory w = _intent(alice, ETHER, carol, 1 ether, 77);
        _expectFault(
            _intentItem(w, key),
            abi.encodeWithSelector(OwnerSignatureInvalid.selector, _id(Kind.Intent, w), alice)
        );
    }

    function test_ASignedIntentIsNoRequestAndTheOtherWayRound() public {
        Withdrawal memory w = _intent(alice, ETHER, carol, 1 ether, 77);
        PayoutItem memory item = _intentItem(w, aliceKey);
        item.kind = Kind.Request;
        _expectFault(
            item,
            abi.encodeWithSelector(
                WithdrawalNotPayable.selector, _id(Kind.Request, w), Kind.Request, State.None
            )
        );
        (Withdrawal memory requested,) = _request(alice, ETHER, carol, 1 ether);
        item = _requestItem(requested);
        item.kind = Kind.Intent;
        _expectFault(
            item,
            abi.encodeWithSelector(
                OwnerSignatureInvalid.selector, _id(Kind.Intent, requested), alice
            )
        );
    }

    function test_TheTermsOfAnIntentAreChecked() public {
        Withdrawal memory w = _intent(alice, address(0xdead), carol, 1 ether, 1);
        _expectFault(
            _intentItem(w, aliceKey),
            abi.encodeWithSelector(TokenNotListed.selector, address(0xdead))
        );
        w = _intent(alice, ETHER, address(vault), 1 ether, 1);
        _expectFault(
            _intentItem(w, aliceKey),
            abi.encodeWithSelector(RecipientNotAllowed.selector, address(vault))
        );
        w = _intent(alice, ETHER, carol, 0.001 ether - ETHER_DIVISOR, 1);
        _expectFault(
            _intentItem(w, aliceKey),
            abi.encodeWithSelector(WithdrawalBelowMinimum.selector, ETHER, w.amount, 0.001 ether)
        );
        w = _intent(alice, ETHER, carol, 1 ether + 1, 1);
        _expectFault(
            _intentItem(w, aliceKey),
            abi.encodeWithSelector(AmountNotDivisible.selector, ETHER, 1 ether + 1, ETHER_DIVISOR)
        );
        w = _intent(alice, ETHER, carol, 1 ether, 1);
        w.fee = 1;
        _expectFault(
            _intentItem(w, aliceKey),
            abi.encodeWithSelector(AmountNotDivisible.selector, ETHER, 1, ETHER_DIVISOR)
        );
        w = _intent(alice, ETHER, carol, 1 ether, 1);
        w.deadline = uint64(block.timestamp) + MAX_DEADLINE + 1;
        _expectFault(
            _intentItem(w, aliceKey),
            abi.encodeWithSelector(DeadlineTooFar.selector, w.deadline, w.deadline - 1)
        );
        w = _intent(alice, ETHER, carol, 1 ether, 1);
        w.deadline = uint64(block.timestamp) - 1;
        _expectFault(
            _intentItem(w, aliceKey),
            abi.encodeWithSelector(DeadlinePassed.selector, _id(Kind.Intent, w), w.deadline)
        );
    }

    function test_AnInvalidatedNonceIsNotPaid() public {
        vm.prank(alice);
        vault.invalidateNonce(77);
        Withdrawal memory w = _intent(alice, ETHER, carol, 1 ether, 77);
        _expectFault(
            _intentItem(w, aliceKey), abi.encodeWithSelector(NonceUnusable.selector, alice, 77)
        );
    }

    // ---------------------------------------------------------------- contract owners

    function test_AWalletsSignatureIsAsked() public {
        Wallet wallet = new Wallet(alice);
        Withdrawal memory w = _intent(address(wallet), ETHER, carol, 1 ether, 1);
        PayoutItem memory item = _intentItem(w, aliceKey);
        wallet.close();
        _expectFault(
            item,
            abi.encodeWithSelector(
                OwnerSignatureInvalid.selector, _id(Kind.Intent, w), address(wallet)
            )
        );
        wallet = new Wallet(alice);
        w = _intent(address(wallet), ETHER, carol, 1 ether, 1);
        _payout(_intentItem(w, aliceKey));
        assertEq(carol.balance, 1 ether);
    }

    function test_AKeysSignatureHoldsWhereTheAccountHasCode() public {
        // An account with delegated code keeps its key; code that knows no ERC-1271 must not lock
        // it out.
        vm.etch(alice, hex"60006000fd");
        _payout(_intentItem(_intent(alice, ETHER, carol, 1 ether, 1), aliceKey));
        assertEq(carol.balance, 1 ether);
    }

    function test_WalletsThatMisbehaveAreNoSigners() public {
        address[2] memory owners = [address(new BurningWallet()), address(new ShortWallet())];
        for (uint256 i = 0; i < owners.length; ++i) {
            Withdrawal memory w = _intent(owners[i], ETHER, carol, 1 ether, 1);
            _expectFault(
                _intentItem(w, aliceKey),
                abi.encodeWithSelector(
                    OwnerSignatureInvalid.selector, _id(Kind.Intent, w), owners[i]
                )
            );
        }
    }

    // ---------------------------------------------------------------- deferred payouts

    function test_AFailedPushIsLeftToTheOwner() public {
        address payable to = payable(address(new Rejecter()));
        (Withdrawal memory w, bytes32 id) = _request(alice, ETHER, to, 1 ether);
        _expectEvent();
        emit PayoutDeferred(id, ETHER, alice, 6, Kind.Request, 5, to, 1 ether, 0);
        _payout(_requestItem(w));
        _assertState(id, State.Deferred);
        assertEq(vault.claimable(ETHER, alice), 1 ether);
        assertEq(vault.claimable(ETHER, to), 0);
        assertEq(vault.claimableTotal(ETHER), 1 ether);
        assertEq(vault.accounted(ETHER), 99 ether);
        assertEq(address(vault).balance, 100 ether);
        assertEq(vault.openWithdrawals(alice), 0);
        assertEq(vault.lastSeq(), 6);
    }

    function test_ADeferredPayoutIsFinal() public {
        (Withdrawal memory w, bytes32 id) = _request(alice, ETHER, address(new Rejecter()), 1 ether);
        PayoutItem memory item = _requestItem(w);
        _payout(item);
        _expectFault(
            item,
            abi.encodeWithSelector(WithdrawalNotPayable.selector, id, Kind.Request, State.Deferred)
        );
    }

    function test_RecipientsThatBurnOrBombCostABoundedAmount() public {
        address[2] memory recipients = [address(new GasBurner()), address(new DataBomber())];
        for (uint256 i = 0; i < recipients.length; ++i) {
            (Withdrawal memory w, bytes32 id) = _request(alice, ETHER, recipients[i], 1 ether);
            PayoutItem memory item = _requestItem(w);
            bytes[] memory signatures = _payoutQuorum(_payoutLeaf(item));
            uint256 before = gasleft();
            vault.payout(item, signatures);
            assertLt(before - gasleft(), 420_000);
            _assertState(id, State.Deferred);
        }
    }

    function testFuzz_ARelayerCannotStarveThePush(uint256 gasLimit) public {
        // Whatever gas the relayer gives: the payout is made in full, or nothing happens.
        HungryReceiver to = new HungryReceiver();
        (Withdrawal memory w, bytes32 id) = _request(alice, ETHER, address(to), 1 ether);
        PayoutItem memory item = _requestItem(w);
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(item));
        gasLimit = bound(gasLimit, 21_000, 600_000);
        vm.prank(relayer);
        (bool success,) =
            address(vault).call{gas: gasLimit}(abi.encodeCall(vault.payout, (item, signatures)));
        _assertState(id, success ? State.Paid : State.Requested);
        assertEq(to.received(), success ? 1 ether : 0);
    }

    function test_TooLittleGasIsNamed() public {
        (Withdrawal memory w,) = _request(alice, ETHER, carol, 1 ether);
        PayoutItem memory item = _requestItem(w);
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(item));
        (bool success, bytes memory answer) =
            address(vault).call{gas: 250_000}(abi.encodeCall(vault.payout, (item, signatures)));
        assertFalse(success);
        assertEq(bytes4(answer), RaiseGasLimit.selector);
    }

    // ---------------------------------------------------------------- reentrancy

    function test_NoEntryPointCanBeReenteredFromAPush() public {
        (Withdrawal memory other,) = _request(alice, ETHER, carol, 1 ether);
        PayoutItem memory second = _requestItem(other);
        bytes[] memory secondSignatures = _payoutQuorum(_payoutLeaf(second));
        PayoutItem[] memory none = new PayoutItem[](0);
        RefusalItem memory refusal = _refusalItem(Kind.Request, other, RefusalReason.Operator);
        RefusalItem[] memory noRefusals = new RefusalItem[](0);
        bytes[] memory rootSignatures = _payoutQuorum(bytes32(0));
        IVault.SignedTransfer memory transfer;
        bytes[26] memory calls = [
            abi.encodeCall(vault.payout, (second, secondSignatures)),
            abi.encodeCall(vault.payoutBatch, (none, bytes32(0), rootSignatures)),
            abi.encodeCall(vault.refuse, (refusal, secondSignatures)),
            abi.encodeCall(vault.refuseBatch, (noRefusals, bytes32(0), secondSignatures)),
            abi.encodeCall(
                vault.requestWithdrawal, (ETHER, carol, 1 ether, uint64(block.timestamp) + 1 days)
            ),
            abi.encodeCall(vault.claim, (ETHER, carol)),
            abi.encodeCall(vault.invalidateNonce, (1)),
            abi.encodeCall(vault.cancelExpired, (Kind.Request, other)),
            abi.encodeCall(vault.depositEther, (carol)),
            abi.encodeCall(vault.deposit, (address(dollar), DOLLAR, carol)),
            abi.encodeCall(vault.depositMeasured, (address(dollar), DOLLAR, 0, carol)),
            abi.encodeCall(vault.pauseDeposits, ()),
            abi.encodeCall(vault.finalize, (Kind.Request, other)),
            abi.encodeCall(vault.veto, (Kind.Request, other)),
            abi.encodeCall(vault.depositWithPermit, (address(dollar), DOLLAR, carol, 0, 0, 0, 0)),
            abi.encodeCall(vault.depositWithPermit2, (address(dollar), DOLLAR, carol, transfer)),
            abi.encodeCall(vault.announce, ("")),
            abi.encodeCall(vault.retract, (bytes32(0))),
            abi.encodeCall(vault.setPayoutLimits, (ETHER, IVault.PayoutLimits(1, 1, 1, 1))),
            abi.encodeCall(vault.setLimits, (ETHER, 1, 1, 1)),
            abi.encodeCall(vault.setSigners, (signerList, 1)),
            abi.encodeCall(vault.delistToken, (ETHER)),
            abi.encodeCall(vault.listToken, (_etherListing())),
            abi.encodeCall(vault.pausePayouts, ()),
            abi.encodeCall(vault.unpauseDeposits, ()),
            abi.encodeCall(vault.unpausePayouts, ())
        ];
        bytes4 guard = bytes4(keccak256("ReentrancyGuardReentrantCall()"));
        for (uint256 i = 0; i < calls.length; ++i) {
            ReentrantReceiver to = new ReentrantReceiver();
            to.arm(address(vault), calls[i]);
            Withdrawal memory w = _intent(alice, ETHER, address(to), 1 ether, 1000 + i);
            _payout(_intentItem(w, aliceKey));
            _assertState(_id(Kind.Intent, w), State.Paid);
            assertTrue(to.called());
            assertFalse(to.succeeded());
            assertEq(bytes4(to.answer()), guard);
        }
    }

    function test_OnlyTheVaultPushes() public {
        vm.prank(admin);
        vm.expectRevert(abi.encodeWithSelector(OnlyVault.selector, admin));
        vault.disburseTokens(ETHER, admin, 1 ether);
        ReentrantReceiver to = new ReentrantReceiver();
        to.arm(address(vault), abi.encodeCall(vault.disburseTokens, (ETHER, address(to), 1 ether)));
        _payout(_intentItem(_intent(alice, ETHER, address(to), 1 ether, 1), aliceKey));
        assertFalse(to.succeeded());
        assertEq(address(to).balance, 1 ether);
    }

    // ---------------------------------------------------------------- helpers

    /// @dev The single payout reverts with `fault`, and a batch skips the item with the same words.
    function _expectFault(PayoutItem memory item, bytes memory fault) private {
        bytes32 id = _id(item.kind, item.withdrawal);
        State state = vault.stateOf(id);
        uint64 seq = vault.lastSeq();
        bytes32 root = _payoutLeaf(item);
        bytes[] memory signatures = _payoutQuorum(root);
        vm.prank(relayer);
        vm.expectRevert(fault);
        vault.payout(item, signatures);
        PayoutItem[] memory items = new PayoutItem[](1);
        items[0] = item;
        _expectEvent();
        emit PayoutSkipped(id, fault);
        vm.prank(relayer);
        vault.payoutBatch(items, root, signatures);
        _assertState(id, state);
        assertEq(vault.lastSeq(), seq);
    }

    /// @dev As in `IVault`; events outside the sequence are not inherited here.
    event PayoutSkipped(bytes32 indexed id, bytes fault);
}
