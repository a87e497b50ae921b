// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {VaultTest} from "../utils/VaultTest.sol";

contract RefuseTest is VaultTest {
    event RefusalSkipped(bytes32 indexed id, bytes fault);

    function setUp() public override {
        super.setUp();
        _depositEther(alice, 100 ether);
    }

    function test_ARequestIsRefused() public {
        (Withdrawal memory w, bytes32 id) = _request(alice, ETHER, bob, 1 ether);
        _expectEvent();
        emit Refused(id, ETHER, alice, 5, Kind.Request, 4, RefusalReason.InsufficientFunds);
        _refuse(_refusalItem(Kind.Request, w, RefusalReason.InsufficientFunds));
        _assertState(id, State.Refused);
        assertEq(vault.openWithdrawals(alice), 0);
        assertEq(vault.accounted(ETHER), 100 ether);
    }

    function test_AnIntentIsRefusedBeforeItHasAState() public {
        Withdrawal memory w = _intent(alice, ETHER, bob, 1 ether, 9);
        bytes32 id = _id(Kind.Intent, w);
        _expectEvent();
        emit Refused(id, ETHER, alice, 4, Kind.Intent, 9, RefusalReason.Operator);
        _refuse(_refusalItem(Kind.Intent, w, RefusalReason.Operator));
        _assertState(id, State.Refused);
    }

    function testFuzz_WhatWasRefusedIsNeverPaid(uint8 reason, bool requested) public {
        RefusalReason why = RefusalReason(bound(reason, 1, uint8(type(RefusalReason).max)));
        Withdrawal memory w = _intent(alice, ETHER, bob, 1 ether, 9);
        if (requested) (w,) = _request(alice, ETHER, bob, 1 ether);
        Kind kind = requested ? Kind.Request : Kind.Intent;
        _refuse(_refusalItem(kind, w, why));
        PayoutItem memory item = requested ? _requestItem(w) : _intentItem(w, aliceKey);
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(item));
        vm.expectRevert(
            abi.encodeWithSelector(WithdrawalNotPayable.selector, _id(kind, w), kind, State.Refused)
        );
        vault.payout(item, signatures);
    }

    function test_WhatWasPaidIsNeverRefused() public {
        (Withdrawal memory w, bytes32 id) = _request(alice, ETHER, bob, 1 ether);
        _payout(_requestItem(w));
        _expectFault(
            _refusalItem(Kind.Request, w, RefusalReason.Operator),
            abi.encodeWithSelector(WithdrawalNotRefusable.selector, id, Kind.Request, State.Paid)
        );
    }

    function test_ARequestThatWasNeverMadeCannotBeRefused() public {
        // Else a quorum could close ids in advance.
        Withdrawal memory w = _intent(alice, ETHER, bob, 1 ether, 4);
        _expectFault(
            _refusalItem(Kind.Request, w, RefusalReason.Operator),
            abi.encodeWithSelector(
                WithdrawalNotRefusable.selector, _id(Kind.Request, w), Kind.Request, State.None
            )
        );
    }

    function test_ARefusalNeedsAReason() public {
        (Withdrawal memory w, bytes32 id) = _request(alice, ETHER, bob, 1 ether);
        _expectFault(
            _refusalItem(Kind.Request, w, RefusalReason.Unspecified),
            abi.encodeWithSelector(RefusalReasonMissing.selector, id)
        );
    }

    function test_PayoutSignaturesDoNotRefuseAndRefusalsDoNotPay() public {
        (Withdrawal memory w,) = _request(alice, ETHER, bob, 1 ether);
        RefusalItem memory refusal = _refusalItem(Kind.Request, w, RefusalReason.Operator);
        bytes[] memory signatures = _payoutQuorum(_refusalLeaf(refusal));
        // The signatures are of another type, so they recover to strangers.
        vm.expectRevert();
        vault.refuse(refusal, signatures);
        PayoutItem memory item = _requestItem(w);
        signatures = _refusalQuorum(_payoutLeaf(item));
        vm.expectRevert();
        vault.payout(item, signatures);
        // Not even the very same root serves both.
        bytes32 root = _payoutLeaf(item);
        RefusalItem[] memory none = new RefusalItem[](0);
        signatures = _payoutQuorum(root);
        vm.expectRevert();
        vault.refuseBatch(none, root, signatures);
    }

    function test_ABatchRefusesWhatItCan() public {
        (Withdrawal memory first, bytes32 firstId) = _request(alice, ETHER, bob, 1 ether);
        (Withdrawal memory paid, bytes32 paidId) = _request(alice, ETHER, bob, 2 ether);
        _payout(_requestItem(paid));
        RefusalItem[] memory items = new RefusalItem[](3);
        items[0] = _refusalItem(Kind.Request, paid, RefusalReason.VaultShort);
        items[1] = _refusalItem(Kind.Request, first, RefusalReason.AccountFrozen);
        items[2] = _refusalItem(
            Kind.Intent, _intent(bob, ETHER, bob, 1 ether, 1), RefusalReason.AddressMismatch
        );
        bytes32 root = _prove(items);
        bytes[] memory signatures = _refusalQuorum(root);
        _expectEvent();
        emit RefusalSkipped(
            paidId,
            abi.encodeWithSelector(
                WithdrawalNotRefusable.selector, paidId, Kind.Request, State.Paid
            )
        );
        vault.refuseBatch(items, root, signatures);
        _assertState(paidId, State.Paid);
        _assertState(firstId, State.Refused);
        _assertState(_id(Kind.Intent, items[2].withdrawal), State.Refused);
        assertEq(vault.openWithdrawals(alice), 0);
    }

    function test_AnotherReasonThanTheSignedOneIsSkipped() public {
        (Withdrawal memory w, bytes32 id) = _request(alice, ETHER, bob, 1 ether);
        RefusalItem[] memory items = new RefusalItem[](1);
        items[0] = _refusalItem(Kind.Request, w, RefusalReason.VaultShort);
        bytes32 root = _prove(items);
        bytes[] memory signatures = _refusalQuorum(root);
        items[0].reason = RefusalReason.AccountFrozen;
        _expectEvent();
        emit RefusalSkipped(
            id, abi.encodeWithSelector(ProofInvalid.selector, _refusalLeaf(items[0]), root)
        );
        vault.refuseBatch(items, root, signatures);
        _assertState(id, State.Requested);
    }

    function _expectFault(RefusalItem memory item, bytes memory fault) private {
        bytes32 id = _id(item.kind, item.withdrawal);
        bytes32 root = _refusalLeaf(item);
        bytes[] memory signatures = _refusalQuorum(root);
        vm.expectRevert(fault);
        vault.refuse(item, signatures);
        RefusalItem[] memory items = new RefusalItem[](1);
        items[0] = item;
        _expectEvent();
        emit RefusalSkipped(id, fault);
        vault.refuseBatch(items, root, signatures);
    }
}
