// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {BurningWallet, GasBurner, Rejecter} from "../mocks/Accounts.sol";
import {VaultTest} from "../utils/VaultTest.sol";

contract PayoutBatchTest is VaultTest {
    event PayoutSkipped(bytes32 indexed id, bytes fault);

    function setUp() public override {
        super.setUp();
        _depositEther(alice, 100 ether);
        _depositDollar(alice, 1000 * DOLLAR);
    }

    function _recipient(uint256 index) private pure returns (address) {
        return address(uint160(0xA0000000 + index));
    }

    function testFuzz_EveryItemOfABatchIsPaid(uint8 size) public {
        uint256 count = bound(size, 1, 20);
        PayoutItem[] memory items = new PayoutItem[](count);
        for (uint256 i = 0; i < count; ++i) {
            address token = i % 2 == 0 ? ETHER : address(dollar);
            items[i] = _intentItem(
                _intent(alice, token, _recipient(i), token == ETHER ? 1 ether : DOLLAR, i), aliceKey
            );
        }
        _payoutBatch(items);
        for (uint256 i = 0; i < count; ++i) {
            _assertState(_id(Kind.Intent, items[i].withdrawal), State.Paid);
            if (i % 2 == 0) assertEq(_recipient(i).balance, 1 ether);
            else assertEq(dollar.balanceOf(_recipient(i)), DOLLAR);
        }
        assertEq(vault.lastSeq(), 4 + count);
    }

    function test_BothKindsTravelTogether() public {
        (Withdrawal memory requested, bytes32 first) =
            _request(alice, ETHER, _recipient(0), 1 ether);
        PayoutItem[] memory items = new PayoutItem[](2);
        items[0] = _requestItem(requested);
        items[1] = _intentItem(_intent(bob, ETHER, _recipient(1), 2 ether, 1), bobKey);
        _payoutBatch(items);
        _assertState(first, State.Paid);
        _assertState(_id(Kind.Intent, items[1].withdrawal), State.Paid);
    }

    function test_AFaultyItemIsSkippedAndTheRestIsPaid() public {
        PayoutItem[] memory items = new PayoutItem[](4);
        items[0] = _intentItem(_intent(alice, ETHER, _recipient(0), 1 ether, 0), aliceKey);
        items[1] = _intentItem(_intent(alice, ETHER, _recipient(1), 1 ether, 1), bobKey);
        items[2] = _intentItem(_intent(alice, ETHER, _recipient(2), 500 ether, 2), aliceKey);
        items[3] = _intentItem(_intent(alice, ETHER, _recipient(3), 1 ether, 3), aliceKey);
        bytes32 root = _prove(items);
        bytes[] memory signatures = _payoutQuorum(root);
        bytes32 unsigned = _id(Kind.Intent, items[1].withdrawal);
        bytes32 tooMuch = _id(Kind.Intent, items[2].withdrawal);
        _expectEvent();
        emit PayoutSkipped(
            unsigned, abi.encodeWithSelector(OwnerSignatureInvalid.selector, unsigned, alice)
        );
        _expectEvent();
        emit PayoutSkipped(
            tooMuch, abi.encodeWithSelector(AccountedTooLow.selector, ETHER, 99 ether, 500 ether)
        );
        vault.payoutBatch(items, root, signatures);
        _assertState(_id(Kind.Intent, items[0].withdrawal), State.Paid);
        _assertState(unsigned, State.None);
        _assertState(tooMuch, State.None);
        _assertState(_id(Kind.Intent, items[3].withdrawal), State.Paid);
        assertEq(vault.lastSeq(), 6);
        assertEq(vault.accounted(ETHER), 98 ether);
    }

    function test_ABadRecipientIsDeferredAndTheRestIsPaid() public {
        PayoutItem[] memory items = new PayoutItem[](3);
        items[0] = _intentItem(_intent(alice, ETHER, address(new Rejecter()), 1 ether, 0), aliceKey);
        items[1] =
            _intentItem(_intent(alice, ETHER, address(new GasBurner()), 1 ether, 1), aliceKey);
        items[2] = _intentItem(_intent(alice, ETHER, _recipient(2), 1 ether, 2), aliceKey);
        _payoutBatch(items);
        _assertState(_id(Kind.Intent, items[0].withdrawal), State.Deferred);
        _assertState(_id(Kind.Intent, items[1].withdrawal), State.Deferred);
        _assertState(_id(Kind.Intent, items[2].withdrawal), State.Paid);
        assertEq(vault.claimable(ETHER, alice), 2 ether);
        assertEq(vault.claimableTotal(ETHER), 2 ether);
        assertEq(vault.accounted(ETHER), 97 ether);
    }

    function test_TheSameItemTwiceIsPaidOnce() public {
        PayoutItem[] memory items = new PayoutItem[](2);
        items[0] = _intentItem(_intent(alice, ETHER, _recipient(0), 1 ether, 0), aliceKey);
        items[1] = items[0];
        _payoutBatch(items);
        assertEq(_recipient(0).balance, 1 ether);
        assertEq(vault.lastSeq(), 5);
    }

    function test_AnItemOutsideTheRootIsSkipped() public {
        PayoutItem[] memory items = new PayoutItem[](2);
        items[0] = _intentItem(_intent(alice, ETHER, _recipient(0), 1 ether, 0), aliceKey);
        items[1] = _intentItem(_intent(alice, ETHER, _recipient(1), 1 ether, 1), aliceKey);
        bytes32 root = _prove(items);
        bytes[] memory signatures = _payoutQuorum(root);
        items[1] = _intentItem(_intent(alice, ETHER, _recipient(1), 2 ether, 1), aliceKey);
        (, items[1].proof) = _merkle(_leaves(items), 1);
        bytes32 stranger = _id(Kind.Intent, items[1].withdrawal);
        _expectEvent();
        emit PayoutSkipped(
            stranger, abi.encodeWithSelector(ProofInvalid.selector, _payoutLeaf(items[1]), root)
        );
        vault.payoutBatch(items, root, signatures);
        _assertState(stranger, State.None);
        _assertState(_id(Kind.Intent, items[0].withdrawal), State.Paid);
    }

    function _leaves(PayoutItem[] memory items) private view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](items.length);
        for (uint256 i = 0; i < items.length; ++i) {
            leaves[i] = _payoutLeaf(items[i]);
        }
    }

    function test_OneItemOfABatchCanBePaidAlone() public {
        // The operator is gone; Alice holds the signatures over the root and her own proof.
        PayoutItem[] memory items = new PayoutItem[](5);
        for (uint256 i = 0; i < items.length; ++i) {
            items[i] = _intentItem(_intent(alice, ETHER, _recipient(i), 1 ether, i), aliceKey);
        }
        bytes32 root = _prove(items);
        bytes[] memory signatures = _payoutQuorum(root);
        vm.prank(alice);
        vault.payout(items[4], signatures);
        assertEq(_recipient(4).balance, 1 ether);
        assertEq(_recipient(0).balance, 0);
    }

    function test_AWalletThatBurnsGasCannotSpoilABatch() public {
        PayoutItem[] memory items = new PayoutItem[](2);
        items[0] = _intentItem(
            _intent(address(new BurningWallet()), ETHER, _recipient(0), 1 ether, 0), aliceKey
        );
        items[1] = _intentItem(_intent(alice, ETHER, _recipient(1), 1 ether, 1), aliceKey);
        bytes32 root = _prove(items);
        bytes[] memory signatures = _payoutQuorum(root);
        vault.payoutBatch{gas: 700_000}(items, root, signatures);
        assertEq(_recipient(1).balance, 1 ether);
    }

    function test_ABatchWithTooLittleGasChangesNothing() public {
        PayoutItem[] memory items = new PayoutItem[](10);
        for (uint256 i = 0; i < items.length; ++i) {
            items[i] = _intentItem(_intent(alice, ETHER, _recipient(i), 1 ether, i), aliceKey);
        }
        bytes32 root = _prove(items);
        bytes[] memory signatures = _payoutQuorum(root);
        (bool success, bytes memory answer) = address(vault).call{gas: 500_000}(
            abi.encodeCall(vault.payoutBatch, (items, root, signatures))
        );
        assertFalse(success);
        assertEq(bytes4(answer), RaiseGasLimit.selector);
        assertEq(vault.lastSeq(), 4);
    }

    function test_ABatchNeedsAQuorumEvenWhenEmpty() public {
        vm.expectRevert(abi.encodeWithSelector(SignaturesMissing.selector, 0, THRESHOLD));
        vault.payoutBatch(new PayoutItem[](0), bytes32(0), new bytes[](0));
    }
}
