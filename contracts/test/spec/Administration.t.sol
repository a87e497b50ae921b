// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IVault} from "../../src/interfaces/IVault.sol";
import {PlainToken} from "../mocks/Tokens.sol";
import {SpecBase} from "./SpecBase.sol";

contract AdministrationSpecTest is SpecBase {
    address private _token = address(new PlainToken(18));

    function _listing() private view returns (IVault.ListingConfig memory listing) {
        listing = _dollarListing();
        listing.token = _token;
        listing.ledger = 3000;
    }

    /// @dev The admin makes the call, without announcing anything.
    function _admin(bytes memory call) private returns (bool success, bytes memory answer) {
        vm.prank(admin);
        return address(vault).call(call);
    }

    function _refused(bytes memory call, bytes memory fault) private {
        (bool success, bytes memory answer) = _admin(call);
        assertFalse(success);
        assertEq(answer, fault);
    }

    function _needsAnnouncement(bytes memory call) private {
        _refused(call, abi.encodeWithSelector(AnnounceFirst.selector, keccak256(call)));
    }

    // ---------------------------------------------------------------- announce

    function test_Announce_RevertWhen_TheCallerIsNotTheAdmin() external {
        _expectUnauthorized(pauser, ADMIN_ROLE);
        vm.prank(pauser);
        vault.announce("");
    }

    function test_Announce_WhenTheAdminCalls() external {
        // it should note when the change can be made
        _delayedVault();
        bytes memory call = abi.encodeCall(vault.unpauseDeposits, ());
        uint64 ready = uint64(block.timestamp) + 2 days;
        _expectEvent();
        emit IVault.ChangeAnnounced(keccak256(call), ready, call);
        vm.prank(admin);
        assertEq(vault.announce(call), keccak256(call));
        assertEq(vault.announcedFor(keccak256(call)), ready);
    }

    // ---------------------------------------------------------------- retract

    function test_Retract_RevertGiven_NothingIsAnnounced() external {
        _refused(
            abi.encodeCall(vault.retract, (bytes32(0))),
            abi.encodeWithSelector(NotAnnounced.selector, bytes32(0))
        );
    }

    function test_Retract_GivenTheChangeIsAnnounced() external {
        // it should not be possible any more
        _delayedVault();
        bytes memory call = abi.encodeCall(vault.listToken, (_listing()));
        vm.startPrank(admin);
        bytes32 change = vault.announce(call);
        _expectEvent();
        emit IVault.ChangeRetracted(change);
        vault.retract(change);
        vm.stopPrank();
        vm.warp(block.timestamp + 2 days);
        _needsAnnouncement(call);
    }

    // ---------------------------------------------------------------- listToken

    function test_ListToken_RevertGiven_ItIsNotAnnounced() external {
        _delayedVault();
        _needsAnnouncement(abi.encodeCall(vault.listToken, (_listing())));
    }

    function test_ListToken_RevertGiven_TheAnnouncementIsTooYoung() external {
        _delayedVault();
        bytes memory call = abi.encodeCall(vault.listToken, (_listing()));
        uint64 ready = uint64(block.timestamp) + 2 days;
        (bool success, bytes memory answer) = _announced(call, 2 days - 1);
        assertFalse(success);
        assertEq(
            answer, abi.encodeWithSelector(AnnouncementTooYoung.selector, keccak256(call), ready)
        );
    }

    function test_ListToken_RevertGiven_TheAnnouncementIsTooOld() external {
        _delayedVault();
        bytes memory call = abi.encodeCall(vault.listToken, (_listing()));
        uint64 last = uint64(block.timestamp) + 2 days + 14 days;
        (bool success, bytes memory answer) = _announced(call, 16 days + 1);
        assertFalse(success);
        assertEq(
            answer, abi.encodeWithSelector(AnnouncementExpired.selector, keccak256(call), last)
        );
        vm.warp(last);
        (success,) = _admin(call);
        assertTrue(success);
    }

    function _list(IVault.ListingConfig memory listing, bytes memory fault) private {
        _refused(abi.encodeCall(vault.listToken, (listing)), fault);
    }

    function test_ListToken_RevertWhen_TheTokenHasNoCode() external {
        IVault.ListingConfig memory listing = _listing();
        listing.token = carol;
        _list(listing, abi.encodeWithSelector(TokenHasNoCode.selector, carol));
    }

    function test_ListToken_RevertWhen_TheLedgerIsOutOfRange() external {
        IVault.ListingConfig memory listing = _listing();
        uint32 highest = type(uint32).max >> 1;
        listing.ledger = 999;
        _list(listing, abi.encodeWithSelector(LedgerOutOfRange.selector, 999, 1000, highest));
        listing.ledger = highest + 1;
        _list(
            listing, abi.encodeWithSelector(LedgerOutOfRange.selector, highest + 1, 1000, highest)
        );
        listing.ledger = highest;
        (bool success,) = _admin(abi.encodeCall(vault.listToken, (listing)));
        assertTrue(success);
    }

    function test_ListToken_RevertWhen_TheLedgerIsTaken() external {
        IVault.ListingConfig memory listing = _listing();
        listing.ledger = 1001;
        _list(listing, abi.encodeWithSelector(LedgerTaken.selector, 1001, ETHER));
    }

    function test_ListToken_RevertWhen_TheDivisorIsNoPowerOfTen() external {
        IVault.ListingConfig memory listing = _listing();
        uint128[3] memory divisors = [uint128(0), 20, type(uint128).max];
        for (uint256 i = 0; i < divisors.length; ++i) {
            listing.scaleDivisor = divisors[i];
            _list(
                listing,
                abi.encodeWithSelector(ScaleDivisorNotPowerOfTen.selector, _token, divisors[i])
            );
        }
    }

    function test_ListToken_RevertGiven_TheTokenIsOpen() external {
        _list(_dollarListing(), abi.encodeWithSelector(TokenAlreadyListed.selector, dollar));
    }

    function test_ListToken_RevertWhen_SomethingWriteOnceDiffers() external {
        vm.prank(admin);
        vault.delistToken(address(dollar));
        bytes memory fault = abi.encodeWithSelector(
            ListingIsWriteOnce.selector, dollar, 1002, DOLLAR_DIVISOR, false
        );
        IVault.ListingConfig memory listing = _dollarListing();
        listing.ledger = 3000;
        _list(listing, fault);
        listing = _dollarListing();
        listing.scaleDivisor = DOLLAR_DIVISOR * 10;
        _list(listing, fault);
        listing = _dollarListing();
        listing.creditsMeasuredDelta = true;
        _list(listing, fault);
    }

    function test_ListToken_RevertWhen_AMinimumIsZero() external {
        IVault.ListingConfig memory listing = _listing();
        listing.minDeposit = 0;
        _list(listing, abi.encodeWithSelector(MinimumIsZero.selector, _token));
        listing = _listing();
        listing.minWithdrawal = 0;
        _list(listing, abi.encodeWithSelector(MinimumIsZero.selector, _token));
    }

    function test_ListToken_GivenItIsAnnouncedAndDue() external {
        // it should list it once
        _delayedVault();
        bytes memory call = abi.encodeCall(vault.listToken, (_listing()));
        (bool success,) = _announced(call, 2 days);
        assertTrue(success);
        IVault.Listing memory listing = vault.listingOf(_token);
        assertEq(listing.ledger, 3000);
        assertTrue(listing.depositsOpen);
        assertEq(abi.encode(listing.payouts), abi.encode(_listing().payouts));
        assertEq(vault.tokenOf(3000), _token);
        vm.prank(admin);
        vault.delistToken(_token);
        _needsAnnouncement(call);
    }

    // ---------------------------------------------------------------- delistToken

    function test_DelistToken_RevertWhen_TheTokenIsNotListed() external {
        _refused(
            abi.encodeCall(vault.delistToken, (_token)),
            abi.encodeWithSelector(TokenNotListed.selector, _token)
        );
    }

    function test_DelistToken_RevertGiven_TheTokenIsDelisted() external {
        bytes memory call = abi.encodeCall(vault.delistToken, (ETHER));
        (bool success,) = _admin(call);
        assertTrue(success);
        _refused(call, abi.encodeWithSelector(TokenAlreadyDelisted.selector, ETHER));
    }

    function test_DelistToken_GivenTheTokenIsOpen() external {
        // it should stop deposits only
        (Withdrawal memory w, bytes32 id) = _smallRequest();
        _delayedVaultsDoNotWait();
        _expectEvent();
        emit TokenDelisted(ETHER, 1001, 5);
        vm.prank(admin);
        vault.delistToken(ETHER);
        assertFalse(vault.listingOf(ETHER).depositsOpen);
        assertEq(vault.listingOf(ETHER).ledger, 1001);
        _payout(_requestItem(w));
        _assertState(id, State.Paid);
    }

    /// @dev Tightening needs no announcement, whatever the delay.
    function _delayedVaultsDoNotWait() private {
        IVault kept = vault;
        _delayedVault();
        (bool success,) = _admin(abi.encodeCall(vault.delistToken, (ETHER)));
        assertTrue(success);
        vault = kept;
    }

    // ---------------------------------------------------------------- setLimits

    function test_SetLimits_RevertWhen_TheMinimumWithdrawalGoesUp() external {
        uint128 higher = 2 * DOLLAR;
        _refused(
            abi.encodeCall(vault.setLimits, (address(dollar), DOLLAR, higher, 1)),
            abi.encodeWithSelector(MinWithdrawalOnlyGoesDown.selector, dollar, DOLLAR, higher)
        );
    }

    function test_SetLimits_RevertWhen_ItLoosensWithoutAnAnnouncement() external {
        _delayedVault();
        uint128 cap = 1_000_000_000 * DOLLAR;
        address token = address(dollar);
        _needsAnnouncement(
            abi.encodeCall(vault.setLimits, (token, DOLLAR - DOLLAR_DIVISOR, DOLLAR, cap))
        );
        _needsAnnouncement(abi.encodeCall(vault.setLimits, (token, DOLLAR, DOLLAR, 2 * cap)));
    }

    function test_SetLimits_WhenItTightens() external {
        // it should hold at once
        _delayedVault();
        _expectEvent();
        emit IVault.LimitsSet(address(dollar), 2 * DOLLAR, DOLLAR_DIVISOR, 100 * DOLLAR);
        (bool success,) = _admin(
            abi.encodeCall(
                vault.setLimits, (address(dollar), 2 * DOLLAR, DOLLAR_DIVISOR, 100 * DOLLAR)
            )
        );
        assertTrue(success);
        IVault.Listing memory listing = vault.listingOf(address(dollar));
        assertEq(listing.minDeposit, 2 * DOLLAR);
        assertEq(listing.minWithdrawal, DOLLAR_DIVISOR);
        assertEq(listing.depositCap, 100 * DOLLAR);
    }

    // ---------------------------------------------------------------- setPayoutLimits

    function _payoutLimits(IVault.PayoutLimits memory limits) private view returns (bytes memory) {
        return abi.encodeCall(vault.setPayoutLimits, (ETHER, limits));
    }

    function test_SetPayoutLimits_RevertWhen_ItLoosensWithoutAnAnnouncement() external {
        _delayedVault();
        IVault.PayoutLimits memory limits = _etherListing().payouts;
        limits.maxPayout += 1 ether;
        _needsAnnouncement(_payoutLimits(limits));
        limits = _etherListing().payouts;
        limits.queueAbove += 1 ether;
        _needsAnnouncement(_payoutLimits(limits));
        limits = _etherListing().payouts;
        limits.budgetCapacity += 1 ether;
        limits.budgetPeriod *= 2;
        _needsAnnouncement(_payoutLimits(limits));
        limits = _etherListing().payouts;
        limits.budgetPeriod -= 1;
        _needsAnnouncement(_payoutLimits(limits));
    }

    function test_SetPayoutLimits_RevertWhen_TheBudgetIsZero() external {
        IVault.PayoutLimits memory limits = _etherListing().payouts;
        limits.budgetCapacity = 0;
        bytes memory fault = abi.encodeWithSelector(PayoutBudgetIsZero.selector, ETHER);
        _refused(_payoutLimits(limits), fault);
        limits = _etherListing().payouts;
        limits.budgetPeriod = 0;
        _refused(_payoutLimits(limits), fault);
    }

    function test_SetPayoutLimits_RevertWhen_TheLargestPayoutIsOutOfRange() external {
        IVault.PayoutLimits memory limits = _etherListing().payouts;
        limits.maxPayout = 0.0001 ether;
        _refused(
            _payoutLimits(limits),
            abi.encodeWithSelector(
                PayoutMaximumOutOfRange.selector, ETHER, 0.0001 ether, 0.001 ether, 10_000 ether
            )
        );
        limits.maxPayout = 10_001 ether;
        _refused(
            _payoutLimits(limits),
            abi.encodeWithSelector(
                PayoutMaximumOutOfRange.selector, ETHER, 10_001 ether, 0.001 ether, 10_000 ether
            )
        );
    }

    function test_SetPayoutLimits_WhenItTightens() external {
        // it should hold at once
        _delayedVault();
        IVault.PayoutLimits memory limits = IVault.PayoutLimits(5 ether, 2 ether, 9 ether, 2 days);
        _expectEvent();
        emit IVault.PayoutLimitsSet(ETHER, 5 ether, 2 ether, 9 ether, 2 days);
        (bool success,) = _admin(_payoutLimits(limits));
        assertTrue(success);
        assertEq(abi.encode(vault.listingOf(ETHER).payouts), abi.encode(limits));
        assertEq(vault.payoutBudget(ETHER), 9 ether);
    }

    // ---------------------------------------------------------------- setSigners

    function _signers(address[] memory list, uint256 threshold)
        private
        view
        returns (bytes memory)
    {
        return abi.encodeCall(vault.setSigners, (list, threshold));
    }

    function test_SetSigners_RevertWhen_TheThresholdIsZeroOrAboveTheSet() external {
        _refused(
            _signers(signerList, 0), abi.encodeWithSelector(ThresholdOutOfRange.selector, 0, 3)
        );
        _refused(
            _signers(signerList, 4), abi.encodeWithSelector(ThresholdOutOfRange.selector, 4, 3)
        );
    }

    function test_SetSigners_RevertWhen_TheSetIsNotAscending() external {
        address[] memory list = new address[](2);
        (list[0], list[1]) = (signerList[1], signerList[0]);
        _refused(
            _signers(list, 2), abi.encodeWithSelector(SignerSetNotAscending.selector, 1, list[1])
        );
        list[1] = list[0];
        _refused(
            _signers(list, 2), abi.encodeWithSelector(SignerSetNotAscending.selector, 1, list[1])
        );
        list[0] = address(0);
        _refused(
            _signers(list, 2), abi.encodeWithSelector(SignerSetNotAscending.selector, 0, address(0))
        );
    }

    function test_SetSigners_RevertWhen_ThereAreTooMany() external {
        address[] memory list = new address[](33);
        for (uint256 i = 0; i < list.length; ++i) {
            list[i] = address(uint160(i + 1));
        }
        _refused(_signers(list, 1), abi.encodeWithSelector(TooManySigners.selector, 33, 32));
        assembly ("memory-safe") {
            mstore(list, 32)
        }
        (bool success,) = _admin(_signers(list, 32));
        assertTrue(success);
        assertEq(vault.signers(), list);
    }

    function test_SetSigners_RevertWhen_ItLoosensWithoutAnAnnouncement() external {
        _delayedVault();
        _needsAnnouncement(_signers(signerList, 1));
        address[] memory list = signerList;
        list[2] = address(type(uint160).max);
        _needsAnnouncement(_signers(list, 2));
    }

    function test_SetSigners_WhenItOnlyRemovesSigners() external {
        // it should hold at once
        _delayedVault();
        address[] memory list = new address[](2);
        (list[0], list[1]) = (signerList[0], signerList[2]);
        _expectEvent();
        emit IVault.SignersSet(list, 2);
        (bool success,) = _admin(_signers(list, 2));
        assertTrue(success);
        assertEq(vault.signers(), list);
        assertFalse(vault.isSigner(signerList[1]));
        assertTrue(vault.isSigner(signerList[2]));
    }

    // ---------------------------------------------------------------- pauses

    function test_Pauses_WhenThePauserPauses() external {
        // it should last three days
        uint64 until = _pauseBoth();
        assertEq(vault.depositsPausedUntil(), until);
        assertEq(vault.payoutsPausedUntil(), until);
        vm.warp(until - 1);
        _reverts(abi.encodeWithSelector(DepositsArePaused.selector, until));
        _depositEther(alice, 1 ether);
        vm.warp(until);
        _depositEther(alice, 1 ether);
    }

    function test_Pauses_RevertWhen_TheAdminLiftsAPauseWithoutAnAnnouncement() external {
        _delayedVault();
        _pauseBoth();
        _needsAnnouncement(abi.encodeCall(vault.unpauseDeposits, ()));
        _needsAnnouncement(abi.encodeCall(vault.unpausePayouts, ()));
    }

    function test_Pauses_WhenTheAdminLiftsAnAnnouncedPause() external {
        // it should be over
        _delayedVault();
        uint64 until = _pauseBoth();
        (bool success,) = _announced(abi.encodeCall(vault.unpauseDeposits, ()), 2 days);
        assertTrue(success);
        assertEq(vault.depositsPausedUntil(), 0);
        assertEq(vault.payoutsPausedUntil(), until);
        _pauseBoth();
        (success,) = _announced(abi.encodeCall(vault.unpausePayouts, ()), 2 days);
        assertTrue(success);
        assertEq(vault.payoutsPausedUntil(), 0);
        assertGt(vault.depositsPausedUntil(), block.timestamp);
    }
}
