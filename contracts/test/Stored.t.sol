// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IVault} from "../src/interfaces/IVault.sol";
import {PlainToken} from "./mocks/Tokens.sol";
import {SpecBase} from "./spec/SpecBase.sol";

/// @dev What goes into the packed slots comes out again, beside odd neighbours and at the edges.
contract StoredTest is SpecBase {
    function test_WindowsKeepOddNumbers() public {
        vm.roll(1001);
        vm.warp(1_700_000_001);
        (, bytes32 id) = _queuedRequest(carol);
        (uint64 opens, uint64 block_, uint64 closes) = vault.queuedUntil(id);
        assertEq(opens, 1_700_000_001 + QUEUE_WINDOW);
        assertEq(block_, 1001 + QUEUE_BLOCKS);
        assertEq(closes, 1_700_000_001 + QUEUE_WINDOW + QUEUE_LIFETIME);
    }

    function test_ARepeatedPauseReplacesTheFirst() public {
        vm.warp(1_700_000_001);
        _pauseBoth();
        vm.warp(1_700_000_002);
        uint64 until = _pauseBoth();
        assertEq(vault.depositsPausedUntil(), until);
        assertEq(vault.payoutsPausedUntil(), until);
        assertEq(vault.lastSeq(), 2);
    }

    /// @dev Times with an odd last bit and an odd threshold stand next to each other.
    function test_PausesAndThresholdAreApart() public {
        vm.prank(admin);
        vault.setSigners(signerList, 3);
        vm.warp(1_700_000_001);
        vm.prank(pauser);
        vault.pausePayouts();
        assertEq(vault.depositsPausedUntil(), 0);
        vm.warp(1_700_000_003);
        vm.prank(pauser);
        vault.pauseDeposits();
        assertEq(vault.payoutsPausedUntil(), 1_700_000_001 + 3 days);
        assertEq(vault.depositsPausedUntil(), 1_700_000_003 + 3 days);
        assertEq(vault.threshold(), 3);
        assertEq(vault.lastSeq(), 2);
    }

    /// @dev The threshold's lowest and highest bits have neighbours: a pause and ether's books.
    function test_EveryThresholdReplacesTheOneBefore() public {
        IVault.VaultConfig memory config = _config();
        (config.listings[0].scaleDivisor, config.listings[0].minDeposit) = (1, 1);
        vault = IVault(deployCode("Vault.sol:Vault", abi.encode(config)));
        _depositEther(alice, 1);
        for (uint256 i = 0; i < 6; ++i) {
            uint256 threshold = 3 - i % 3;
            vm.prank(admin);
            vault.setSigners(signerList, threshold);
            assertEq(vault.threshold(), threshold);
            assertEq(vault.accounted(ETHER), 1);
        }
        assertEq(vault.payoutsPausedUntil(), 0);
    }

    function test_OtherLimitsLeaveTheBooks() public {
        PlainToken token = new PlainToken(0);
        _list(address(token), 3000, false);
        token.mint(alice, 1);
        vm.startPrank(alice);
        token.approve(address(vault), 1);
        vault.deposit(address(token), 1, alice);
        vm.stopPrank();
        vm.prank(admin);
        vault.setLimits(address(token), 3, 1, 5);
        IVault.Listing memory listing = vault.listingOf(address(token));
        assertEq(listing.accounted, 1);
        assertEq(listing.minDeposit, 3);
        assertEq(listing.minWithdrawal, 1);
        assertEq(listing.depositCap, 5);
    }

    /// @dev 26 bits of mantissa for deposits, 40 for payouts; one more is too much.
    function test_LimitsMayBeAsPreciseAsTheirBits() public {
        PlainToken token = new PlainToken(0);
        _list(address(token), 3000, false);
        uint128 most = (1 << 26) - 1;
        vm.startPrank(admin);
        vault.setLimits(address(token), most, 1, most);
        IVault.Listing memory listing = vault.listingOf(address(token));
        assertEq(listing.minDeposit, most);
        assertEq(listing.depositCap, most);
        _reverts(abi.encodeWithSelector(LimitTooPrecise.selector, most + 1, most));
        vault.setLimits(address(token), most + 1, 1, most);
        most = (1 << 40) - 1;
        vault.setPayoutLimits(address(token), IVault.PayoutLimits(most, most, most, 1 days));
        assertEq(vault.listingOf(address(token)).payouts.maxPayout, most);
        assertEq(vault.listingOf(address(token)).payouts.queueAbove, most);
        assertEq(vault.listingOf(address(token)).payouts.budgetCapacity, most);
        _reverts(abi.encodeWithSelector(LimitTooPrecise.selector, most + 1, most));
        vault.setPayoutLimits(address(token), IVault.PayoutLimits(most, most + 1, most, 1 days));
        vm.stopPrank();
    }

    function testFuzz_LimitsAreApart(uint8[4] memory exponents) public {
        uint128[4] memory limits;
        for (uint256 i = 0; i < 4; ++i) {
            limits[i] = uint128(10 ** bound(exponents[i], 7, 30));
        }
        PlainToken token = new PlainToken(18);
        _list(address(token), 3000, false);
        vm.startPrank(admin);
        for (uint256 i = 0; i < 4; ++i) {
            (uint128 minimum, uint128 cap) = (limits[i], limits[(i + 1) % 4]);
            vault.setLimits(address(token), minimum, 1, cap);
            IVault.Listing memory listing = vault.listingOf(address(token));
            assertEq(listing.minDeposit, minimum);
            assertEq(listing.depositCap, cap);
            assertEq(listing.ledger, 3000);
            assertTrue(listing.depositsOpen);
        }
        vm.stopPrank();
    }

    function test_AListingTellsItsBooks() public {
        _depositEther(alice, 10 ether);
        (Withdrawal memory w,) = _request(alice, ETHER, rejecter, 2 ether);
        _payout(_requestItem(w));
        IVault.Listing memory listing = vault.listingOf(ETHER);
        assertEq(listing.accounted, 8 ether);
        assertEq(listing.claimableTotal, 2 ether);
    }

    function test_NoLimitIsTheLargestNumber() public {
        address token = address(new PlainToken(18));
        _list(token, 3000, false);
        IVault.Listing memory listing = vault.listingOf(token);
        assertEq(abi.encode(listing.payouts), abi.encode(_noPayoutLimits()));
        assertEq(listing.depositCap, type(uint128).max);
        assertEq(vault.payoutBudget(token), type(uint128).max);
    }

    function test_WhatWasNeverListedIsEmpty() public view {
        IVault.Listing memory empty;
        assertEq(abi.encode(vault.listingOf(carol)), abi.encode(empty));
        assertEq(vault.payoutBudget(carol), 0);
    }

    function test_SettingsAreThoseOfTheDeployment() public {
        IVault.VaultConfig memory config = _config();
        (config.looseningDelay, config.maxDeadline) = (30 days, 30 days);
        IVault.Settings memory settings =
            IVault(deployCode("Vault.sol:Vault", abi.encode(config))).settings();
        assertEq(settings.minDeadline, config.minDeadline);
        assertEq(settings.maxDeadline, config.maxDeadline);
        assertEq(settings.maxOpenWithdrawals, config.maxOpenWithdrawals);
        assertEq(settings.looseningDelay, config.looseningDelay);
        assertEq(settings.queueWindow, config.queueWindow);
        assertEq(settings.queueWindowBlocks, config.queueWindowBlocks);
        assertEq(settings.queueLifetime, config.queueLifetime);
    }
}
