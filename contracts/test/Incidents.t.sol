// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IVault} from "../src/interfaces/IVault.sol";
import {FeeToken, PlainToken, SilentToken, SwallowingToken} from "./mocks/Tokens.sol";
import {VaultTest} from "./utils/VaultTest.sol";

/// @dev What went wrong elsewhere must not go wrong here; each test is named after its incident.
contract IncidentsTest is VaultTest {
    function setUp() public override {
        super.setUp();
        _depositEther(alice, 100 ether);
        _depositDollar(alice, 1000 * DOLLAR);
    }

    /// @dev A caller chose target and data of a privileged call. Here a payout to any contract
    /// sends plain value, and no data of anybody's choice.
    function test_Poly2021_NoCallerChosenTarget() public {
        CallRecorder recorder = new CallRecorder();
        _payout(_intentItem(_intent(alice, ETHER, address(recorder), 1 ether, 1), aliceKey));
        assertEq(recorder.length(), 0);
        assertEq(recorder.sender(), address(vault));
        // The token and the vault itself as recipients get no more.
        _payout(_intentItem(_intent(alice, ETHER, address(dollar), 1 ether, 2), aliceKey));
        assertEq(vault.claimable(ETHER, alice), 1 ether);
    }

    /// @dev A deposit of the zero address, which has no code, was credited as ether.
    function test_Qubit2022_NoCodelessToken() public {
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(TokenNotListed.selector, address(0)));
        vault.deposit(address(0), 1 ether, alice);
        vm.expectRevert(EtherIsNotErc20.selector);
        vault.deposit(ETHER, 1 ether, alice);
        vm.stopPrank();
        assertEq(vault.accounted(ETHER), 100 ether);
    }

    /// @dev The caller supplied what verified the signatures. Here the items carry signatures,
    /// never the signers, and an owner that is a contract vouches for itself only.
    function test_Wormhole2022_NoCallerSuppliedVerifier() public {
        YesMan accomplice = new YesMan();
        Withdrawal memory w = _intent(alice, ETHER, address(accomplice), 1 ether, 1);
        PayoutItem memory item = _intentItem(w, aliceKey);
        bytes[] memory signatures = new bytes[](2);
        signatures[0] = abi.encode(address(accomplice));
        signatures[1] = abi.encode(address(accomplice));
        vm.expectRevert(abi.encodeWithSelector(SignatureInvalid.selector, 0));
        vault.payout(item, signatures);
    }

    /// @dev Wrapped ether went in as a token and was credited as ether besides. Here one call
    /// credits one token, and the token path takes no ether at all.
    function test_Meter2022_OneDepositOneCredit() public {
        vm.prank(alice);
        (bool success,) = address(vault).call{value: 1 ether}(
            abi.encodeCall(vault.deposit, (address(dollar), DOLLAR, alice))
        );
        assertFalse(success);
        assertEq(vault.accounted(ETHER), 100 ether);
        assertEq(vault.accounted(address(dollar)), 1000 * DOLLAR);
    }

    /// @dev Enough signing keys were stolen, and everything was gone in two transactions. Here the
    /// thief, with every key, gets no more than one budget, in pieces below the queue's threshold.
    function test_RoninAndHarmony2022_StolenKeysAreWorthOneBudget() public {
        vm.prank(admin);
        vault.setPayoutLimits(ETHER, IVault.PayoutLimits(5 ether, 2 ether, 10 ether, 1 days));
        (address thief, uint256 key) = makeAddrAndKey("thief");
        uint256 taken = 0;
        for (uint256 i = 0; i < 20; ++i) {
            PayoutItem memory item = _intentItem(_intent(thief, ETHER, thief, 2 ether, i), key);
            bytes[] memory signatures = _payoutQuorum(_payoutLeaf(item));
            try vault.payout(item, signatures) {
                taken += 2 ether;
            } catch (bytes memory fault) {
                assertEq(bytes4(fault), PayoutBudgetExhausted.selector);
            }
        }
        assertEq(taken, 10 ether);
        assertEq(thief.balance, 10 ether);
        assertEq(vault.accounted(ETHER), 90 ether);
    }

    /// @dev And a large theft has to wait, in sight of the guardian.
    function test_RoninAndHarmony2022_TheGuardianVetoesALargeTheft() public {
        vm.prank(admin);
        vault.setPayoutLimits(ETHER, IVault.PayoutLimits(50 ether, 2 ether, 50 ether, 1 days));
        (address thief, uint256 key) = makeAddrAndKey("thief");
        Withdrawal memory w = _intent(thief, ETHER, thief, 50 ether, 1);
        _payout(_intentItem(w, key));
        vm.expectPartialRevert(PayoutWindowOpen.selector);
        vault.finalize(Kind.Intent, w);
        vm.prank(guardian);
        vault.veto(Kind.Intent, w);
        vm.warp(block.timestamp + QUEUE_WINDOW);
        vm.roll(block.number + QUEUE_BLOCKS);
        vm.expectPartialRevert(PayoutNotQueued.selector);
        vault.finalize(Kind.Intent, w);
        assertEq(thief.balance, 0);
    }

    /// @dev An upgrade left the threshold at zero. Here no set, at no time, goes without one.
    function test_Ronin2024_NoZeroThreshold() public {
        vm.prank(admin);
        vm.expectRevert(abi.encodeWithSelector(ThresholdOutOfRange.selector, 0, 3));
        vault.setSigners(signerList, 0);
        PayoutItem memory item = _intentItem(_intent(alice, ETHER, bob, 1 ether, 1), aliceKey);
        vm.expectRevert(abi.encodeWithSelector(SignaturesMissing.selector, 0, 2));
        vault.payout(item, new bytes[](0));
    }

    /// @dev The default value of a mapping counted as proven. Here a request that was never made,
    /// and the empty root, pay nothing.
    function test_Nomad2022_NoDefaultIsPayable() public {
        Withdrawal memory never = _intent(alice, ETHER, bob, 1 ether, 1);
        PayoutItem memory item = _requestItem(never);
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(item));
        vm.expectRevert(
            abi.encodeWithSelector(
                WithdrawalNotPayable.selector, _id(Kind.Request, never), Kind.Request, State.None
            )
        );
        vault.payout(item, signatures);
        PayoutItem[] memory items = new PayoutItem[](1);
        items[0] = _intentItem(never, aliceKey);
        vm.expectRevert(abi.encodeWithSelector(SignaturesMissing.selector, 0, 2));
        vault.payoutBatch(items, bytes32(0), new bytes[](0));
    }

    /// @dev The credited number came from a message, not from what arrived.
    function test_Allbridge2026_OnlyWhatArrivedIsCredited() public {
        FeeToken token = new FeeToken();
        _list(address(token), 3000, true);
        token.mint(alice, 1000);
        vm.startPrank(alice);
        token.approve(address(vault), 1000);
        assertEq(vault.depositMeasured(address(token), 1000, 1, alice), 990);
        vm.stopPrank();
        assertEq(vault.accounted(address(token)), token.balanceOf(address(vault)));
    }

    /// @dev Anybody could list a token.
    function test_XBridge2024_OnlyTheAdminLists() public {
        PlainToken token = new PlainToken(18);
        IVault.ListingConfig memory config = IVault.ListingConfig(
            address(token), 3000, 1, false, 1, 1, type(uint128).max, _noPayoutLimits()
        );
        _expectUnauthorized(alice, ADMIN_ROLE);
        vm.prank(alice);
        vault.listToken(config);
    }

    /// @dev A recovered address was taken for a signer because there was one.
    function test_Lixir2026_NotAnyRecoveredAddress() public {
        PayoutItem memory item = _intentItem(_intent(alice, ETHER, bob, 1 ether, 1), aliceKey);
        // Well-formed bytes recover to some address; the vault must not care for it.
        bytes[] memory signatures = new bytes[](2);
        signatures[0] = abi.encodePacked(bytes32(uint256(1)), bytes32(uint256(1)), uint8(27));
        signatures[1] = abi.encodePacked(bytes32(uint256(2)), bytes32(uint256(1)), uint8(27));
        vm.expectPartialRevert(SignerUnknown.selector);
        vault.payout(item, signatures);
    }

    /// @dev A permit on a token whose fallback swallows it counted as an approval, and a victim's
    /// standing allowance was spent. Here payer and caller are one, and the allowance decides.
    function test_Anyswap2025_ASwallowedPermitIsNoApproval() public {
        SwallowingToken token = new SwallowingToken();
        _list(address(token), 3000, false);
        token.mint(alice, 100);
        vm.prank(alice);
        token.approve(address(vault), 100);
        address thief = makeAddr("thief");
        vm.prank(thief);
        vm.expectRevert(
            abi.encodeWithSelector(PermitLeftAllowanceTooLow.selector, token, thief, 0, 100)
        );
        vault.depositWithPermit(address(token), 100, thief, 0, 0, 0, 0);
        assertEq(token.balanceOf(alice), 100);
    }

    /// @dev A token without the asked-for function swallowed the call in silence.
    function test_Anyswap2022_NoSilentToken() public {
        address token = address(new SilentToken());
        _list(token, 3000, false);
        vm.prank(alice);
        vm.expectRevert();
        vault.deposit(token, 1, alice);
        assertEq(vault.accounted(token), 0);
    }

    /// @dev An item was signed but never settled, and its money left on another path. Here every id
    /// ends once: what is cancelled or refused cannot be paid with signatures collected before.
    function test_Aztec2026_OldSignaturesDieWithTheRequest() public {
        (Withdrawal memory w, bytes32 id) = _request(alice, ETHER, bob, 1 ether);
        PayoutItem memory item = _requestItem(w);
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(item));
        vm.warp(uint256(w.deadline) + 1);
        vault.cancelExpired(Kind.Request, w);
        vm.expectRevert(
            abi.encodeWithSelector(WithdrawalNotPayable.selector, id, Kind.Request, State.Cancelled)
        );
        vault.payout(item, signatures);
    }
}

/// @dev Remembers who sent it value, and with how much data.
contract CallRecorder {
    address public sender;
    uint256 public length;

    fallback() external payable {
        sender = msg.sender;
        length = msg.data.length;
    }

    receive() external payable {
        sender = msg.sender;
    }
}

/// @dev Says yes to every signature.
contract YesMan {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        return this.isValidSignature.selector;
    }
}
