// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {
    CallingToken,
    FalseReturnToken,
    FeeToken,
    GenerousToken,
    MovesAndSaysFalseToken,
    NoReturnToken,
    PlainToken,
    RebasingToken,
    SilentToken
} from "../mocks/Tokens.sol";
import {VaultTest} from "../utils/VaultTest.sol";

interface IApprove {
    function approve(address spender, uint256 amount) external;
    function mint(address to, uint256 amount) external;
    function balanceOf(address account) external view returns (uint256);
}

/// @dev The zoo: tokens that stray from the standard, each on its way in and out.
contract TokensTest is VaultTest {
    address internal carol = makeAddr("carol");

    function _prepare(address token, uint128 amount, bool measured) private {
        _list(token, 2000, measured);
        IApprove(token).mint(alice, amount);
        vm.prank(alice);
        IApprove(token).approve(address(vault), amount);
    }

    function _in(address token, uint128 amount) private {
        vm.prank(alice);
        vault.deposit(token, amount, alice);
    }

    function _out(address token, uint128 amount, State expected) private {
        (Withdrawal memory w, bytes32 id) = _request(alice, token, carol, amount);
        _payout(_requestItem(w));
        _assertState(id, expected);
    }

    function test_NoReturnValue() public {
        address token = address(new NoReturnToken());
        _prepare(token, 100, false);
        _in(token, 100);
        _out(token, 60, State.Paid);
        assertEq(IApprove(token).balanceOf(carol), 60);
        assertEq(vault.accounted(token), 40);
    }

    function test_FalseOnTheWayIn() public {
        FalseReturnToken token = new FalseReturnToken();
        _prepare(address(token), 100, false);
        token.refuse(true);
        vm.expectRevert(
            abi.encodeWithSignature("SafeERC20FailedOperation(address)", address(token))
        );
        _in(address(token), 100);
    }

    function test_FalseOnTheWayOutDefers() public {
        FalseReturnToken token = new FalseReturnToken();
        _prepare(address(token), 100, false);
        _in(address(token), 100);
        token.refuse(true);
        _out(address(token), 60, State.Deferred);
        assertEq(vault.claimable(address(token), alice), 60);
        token.refuse(false);
        vm.prank(alice);
        vault.claim(address(token), carol);
        assertEq(token.balanceOf(carol), 60);
    }

    function test_AMoveThatIsCalledFailedIsUndone() public {
        // The money must not leave and be claimable as well.
        MovesAndSaysFalseToken token = new MovesAndSaysFalseToken();
        _prepare(address(token), 100, false);
        _in(address(token), 100);
        token.lie(true);
        _out(address(token), 60, State.Deferred);
        assertEq(token.balanceOf(carol), 0);
        assertEq(token.balanceOf(address(vault)), 100);
    }

    function test_AFeeIsRefusedUnlessListedSo() public {
        address token = address(new FeeToken());
        _prepare(token, 1000, false);
        vm.expectRevert(abi.encodeWithSelector(ReceivedOtherAmount.selector, token, 1000, 990));
        _in(token, 1000);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(UseDeposit.selector, token));
        vault.depositMeasured(token, 1000, 0, alice);
    }

    function test_AFeeIsBorneByTheDepositor() public {
        address token = address(new FeeToken());
        _prepare(token, 1000, true);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(ReceivedTooLittle.selector, token, 990, 991));
        vault.depositMeasured(token, 1000, 991, alice);
        _expectEvent();
        emit Deposited(4, token, bob, alice, 990, 2000);
        vm.prank(alice);
        assertEq(vault.depositMeasured(token, 1000, 990, bob), 990);
        assertEq(vault.accounted(token), 990);
        assertEq(IApprove(token).balanceOf(address(vault)), 990);
        // Exact deposits stay exact, also here.
        IApprove(token).mint(alice, 1000);
        vm.prank(alice);
        IApprove(token).approve(address(vault), 1000);
        vm.expectRevert(abi.encodeWithSelector(ReceivedOtherAmount.selector, token, 1000, 990));
        _in(token, 1000);
    }

    function testFuzz_MeasuredDepositsCreditWhatArrived(uint128 amount) public {
        amount = uint128(bound(amount, 1, type(uint96).max));
        address token = address(new FeeToken());
        _prepare(token, amount, true);
        vm.prank(alice);
        uint128 received = vault.depositMeasured(token, amount, 1, alice);
        assertEq(received, amount - amount / 100);
        assertEq(vault.accounted(token), IApprove(token).balanceOf(address(vault)));
    }

    function test_MoreThanWasSentIsRefused() public {
        address token = address(new GenerousToken());
        _prepare(token, 100, true);
        vm.expectRevert(abi.encodeWithSelector(ReceivedOtherAmount.selector, token, 100, 101));
        _in(token, 100);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(ReceivedOtherAmount.selector, token, 100, 101));
        vault.depositMeasured(token, 100, 1, alice);
    }

    function test_ReentryDuringADepositIsRefused() public {
        CallingToken token = new CallingToken();
        _prepare(address(token), 100, false);
        token.arm(
            address(vault), abi.encodeCall(vault.deposit, (address(token), 1, address(token)))
        );
        _in(address(token), 100);
        assertFalse(token.lastSucceeded());
        assertEq(bytes4(token.lastAnswer()), bytes4(keccak256("ReentrancyGuardReentrantCall()")));
        assertEq(vault.accounted(address(token)), 100);
        assertEq(vault.lastSeq(), 4);
    }

    function test_AShrunkenBalanceDefersInsteadOfBlocking() public {
        RebasingToken token = new RebasingToken();
        _prepare(address(token), 100, false);
        _in(address(token), 100);
        // Rebasing tokens are not to be listed; if one is, its payouts fail and nothing else does.
        token.shrink(address(vault), 50);
        _out(address(token), 100, State.Deferred);
        _depositEther(alice, 1 ether);
        (Withdrawal memory w, bytes32 id) = _request(alice, ETHER, carol, 1 ether);
        _payout(_requestItem(w));
        _assertState(id, State.Paid);
    }

    function test_ATokenThatVanishesIsNotPaidOut() public {
        PlainToken token = new PlainToken(6);
        _prepare(address(token), 100, false);
        _in(address(token), 60);
        vm.etch(address(token), "");
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(TokenHasNoCode.selector, token));
        vault.deposit(address(token), 40, alice);
        _out(address(token), 60, State.Deferred);
    }

    function test_ATokenThatAcceptsEverythingIsNotBelieved() public {
        address token = address(new SilentToken());
        _list(token, 2000, false);
        vm.prank(alice);
        // Its balanceOf answers nothing, so the deposit cannot be measured.
        vm.expectRevert();
        vault.deposit(token, 100, alice);
    }

    function testFuzz_AnyDecimalsWork(uint8 decimals, uint128 amount) public {
        amount = uint128(bound(amount, 1, type(uint112).max));
        address token = address(new PlainToken(decimals));
        _prepare(token, amount, false);
        _in(token, amount);
        _out(token, amount, State.Paid);
        assertEq(IApprove(token).balanceOf(carol), amount);
        assertEq(vault.accounted(token), 0);
    }
}
