// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

import {IPermit2} from "../../src/interfaces/IPermit2.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {Permit2Double} from "../mocks/Permit2.sol";
import {FeeToken, NoReturnToken} from "../mocks/Tokens.sol";
import {VaultTest} from "../utils/VaultTest.sol";

/// @dev Deposits that bring a signature instead of an approval.
contract PermitTest is VaultTest {
    address private constant PERMIT2 = 0x000000000022D473030F116dDEE9F6B43aC78BA3;
    string private constant WITNESS_TYPE =
        "VaultDeposit witness)TokenPermissions(address token,uint256 amount)VaultDeposit(address owner)";

    struct Signed {
        uint256 deadline;
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    function setUp() public override {
        super.setUp();
        vm.etch(PERMIT2, address(new Permit2Double()).code);
        vm.startPrank(alice);
        dollar.approve(address(vault), 0);
        dollar.approve(PERMIT2, type(uint256).max);
        vm.stopPrank();
    }

    // ---------------------------------------------------------------- EIP-2612

    function _permit(uint256 key, uint128 amount) private view returns (Signed memory signed) {
        signed.deadline = block.timestamp + 1 hours;
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256(
                    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
                ),
                vm.addr(key),
                address(vault),
                amount,
                IERC20Permit(address(dollar)).nonces(vm.addr(key)),
                signed.deadline
            )
        );
        bytes32 separator = IERC20Permit(address(dollar)).DOMAIN_SEPARATOR();
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", separator, structHash));
        (signed.v, signed.r, signed.s) = vm.sign(key, digest);
    }

    function _deposit(address caller, uint128 amount, address owner, Signed memory p) private {
        vm.prank(caller);
        vault.depositWithPermit(address(dollar), amount, owner, p.deadline, p.v, p.r, p.s);
    }

    function testFuzz_APermitReplacesTheApproval(uint128 units, address owner) public {
        vm.assume(owner != address(0));
        uint128 amount = uint128(bound(units, 100, 1_000_000)) * DOLLAR_DIVISOR;
        Signed memory signed = _permit(aliceKey, amount);
        _expectEvent();
        emit Deposited(3, address(dollar), owner, alice, amount, 1002);
        _deposit(alice, amount, owner, signed);
        assertEq(vault.accounted(address(dollar)), amount);
        assertEq(dollar.allowance(alice, address(vault)), 0);
    }

    function test_APermitThatSomebodyUsedUpDoesNoHarm() public {
        Signed memory signed = _permit(aliceKey, 5 * DOLLAR);
        vm.prank(bob);
        IERC20Permit(address(dollar))
            .permit(
                alice, address(vault), 5 * DOLLAR, signed.deadline, signed.v, signed.r, signed.s
            );
        _deposit(alice, 5 * DOLLAR, alice, signed);
        assertEq(vault.accounted(address(dollar)), 5 * DOLLAR);
    }

    function test_SomebodyElsesPermitIsUseless() public {
        Signed memory signed = _permit(aliceKey, 5 * DOLLAR);
        vm.prank(bob);
        dollar.approve(address(vault), 0);
        vm.expectRevert(
            abi.encodeWithSelector(PermitLeftAllowanceTooLow.selector, dollar, bob, 0, 5 * DOLLAR)
        );
        _deposit(bob, 5 * DOLLAR, bob, signed);
    }

    function test_APermitForLessIsNotEnough() public {
        Signed memory signed = _permit(aliceKey, 4 * DOLLAR);
        vm.expectRevert(
            abi.encodeWithSelector(PermitLeftAllowanceTooLow.selector, dollar, alice, 0, 5 * DOLLAR)
        );
        _deposit(alice, 5 * DOLLAR, alice, signed);
    }

    function test_ATokenWithoutPermitsNeedsAnApproval() public {
        NoReturnToken token = new NoReturnToken();
        _list(address(token), 2000, false);
        token.mint(alice, 100);
        vm.startPrank(alice);
        vm.expectRevert(
            abi.encodeWithSelector(PermitLeftAllowanceTooLow.selector, token, alice, 0, 100)
        );
        vault.depositWithPermit(address(token), 100, alice, 0, 0, 0, 0);
        token.approve(address(vault), 100);
        vault.depositWithPermit(address(token), 100, alice, 0, 0, 0, 0);
        vm.stopPrank();
        assertEq(vault.accounted(address(token)), 100);
    }

    function test_APermitOpensNoOtherDoor() public {
        vm.startPrank(alice);
        vm.expectRevert(EtherIsNotErc20.selector);
        vault.depositWithPermit(ETHER, 1 ether, alice, 0, 0, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(TokenNotListed.selector, address(1)));
        vault.depositWithPermit(address(1), 1 ether, alice, 0, 0, 0, 0);
        vm.stopPrank();
        vm.prank(pauser);
        vault.pauseDeposits();
        Signed memory signed = _permit(aliceKey, DOLLAR);
        vm.expectPartialRevert(DepositsArePaused.selector);
        _deposit(alice, DOLLAR, alice, signed);
    }

    // ---------------------------------------------------------------- Permit2

    function _transfer(uint256 key, uint128 amount, address owner, uint256 nonce)
        private
        view
        returns (IVault.SignedTransfer memory signed)
    {
        return _transferOf(address(dollar), key, amount, owner, nonce);
    }

    function _transferOf(address token, uint256 key, uint128 amount, address owner, uint256 nonce)
        private
        view
        returns (IVault.SignedTransfer memory signed)
    {
        signed.from = vm.addr(key);
        signed.nonce = nonce;
        signed.deadline = block.timestamp + 1 hours;
        bytes32 witness = keccak256(abi.encode(keccak256("VaultDeposit(address owner)"), owner));
        bytes32 digest = Permit2Double(PERMIT2)
            .digest(
                IPermit2.PermitTransferFrom(
                    IPermit2.TokenPermissions(token, amount), nonce, signed.deadline
                ),
                address(vault),
                witness,
                WITNESS_TYPE
            );
        signed.signature = _signature(key, digest);
    }

    function testFuzz_ARelayerSubmitsASignedTransfer(uint128 units, address owner) public {
        vm.assume(owner != address(0));
        uint128 amount = uint128(bound(units, 100, 1_000_000)) * DOLLAR_DIVISOR;
        IVault.SignedTransfer memory signed = _transfer(aliceKey, amount, owner, 1);
        _expectEvent();
        emit Deposited(3, address(dollar), owner, alice, amount, 1002);
        vm.prank(relayer);
        vault.depositWithPermit2(address(dollar), amount, owner, signed);
        assertEq(vault.accounted(address(dollar)), amount);
    }

    function test_NoRelayerTurnsADepositToItsOwnCredit() public {
        IVault.SignedTransfer memory signed = _transfer(aliceKey, 5 * DOLLAR, alice, 1);
        vm.startPrank(relayer);
        vm.expectRevert(Permit2Double.InvalidSigner.selector);
        vault.depositWithPermit2(address(dollar), 5 * DOLLAR, relayer, signed);
        vm.expectRevert(Permit2Double.InvalidSigner.selector);
        vault.depositWithPermit2(address(dollar), 4 * DOLLAR, alice, signed);
        signed.from = bob;
        vm.expectRevert(Permit2Double.InvalidSigner.selector);
        vault.depositWithPermit2(address(dollar), 5 * DOLLAR, alice, signed);
        vm.stopPrank();
        assertEq(vault.lastSeq(), 2);
    }

    function test_OnlyAnExactArrivalIsCredited() public {
        FeeToken token = new FeeToken();
        _list(address(token), 2000, true);
        token.mint(alice, 1000);
        vm.prank(alice);
        token.approve(PERMIT2, 1000);
        IVault.SignedTransfer memory signed = _transferOf(address(token), aliceKey, 1000, alice, 1);
        vm.expectRevert(abi.encodeWithSelector(ReceivedOtherAmount.selector, token, 1000, 990));
        vault.depositWithPermit2(address(token), 1000, alice, signed);
        assertEq(vault.accounted(address(token)), 0);
    }

    function test_ASignedTransferIsUsedOnce() public {
        IVault.SignedTransfer memory signed = _transfer(aliceKey, 5 * DOLLAR, alice, 1);
        vault.depositWithPermit2(address(dollar), 5 * DOLLAR, alice, signed);
        vm.expectRevert(Permit2Double.InvalidNonce.selector);
        vault.depositWithPermit2(address(dollar), 5 * DOLLAR, alice, signed);
        assertEq(vault.accounted(address(dollar)), 5 * DOLLAR);
    }

    function test_WithoutPermit2OnTheChainNothingIsCredited() public {
        IVault.SignedTransfer memory signed = _transfer(aliceKey, 5 * DOLLAR, alice, 1);
        vm.etch(PERMIT2, "");
        vm.expectRevert();
        vault.depositWithPermit2(address(dollar), 5 * DOLLAR, alice, signed);
        assertEq(vault.accounted(address(dollar)), 0);
    }

    function test_Permit2OpensNoOtherDoor() public {
        IVault.SignedTransfer memory signed = _transfer(aliceKey, 5 * DOLLAR, alice, 1);
        vm.expectRevert(EtherIsNotErc20.selector);
        vault.depositWithPermit2(ETHER, 5 * DOLLAR, alice, signed);
        vm.expectRevert(abi.encodeWithSelector(TokenNotListed.selector, address(1)));
        vault.depositWithPermit2(address(1), 5 * DOLLAR, alice, signed);
        vm.expectRevert(OwnerIsZero.selector);
        vault.depositWithPermit2(address(dollar), 5 * DOLLAR, address(0), signed);
        vm.prank(pauser);
        vault.pauseDeposits();
        vm.expectPartialRevert(DepositsArePaused.selector);
        vault.depositWithPermit2(address(dollar), 5 * DOLLAR, alice, signed);
    }
}
