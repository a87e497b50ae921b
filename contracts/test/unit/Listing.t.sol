// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IVault} from "../../src/interfaces/IVault.sol";
import {PlainToken, SilentToken} from "../mocks/Tokens.sol";
import {VaultTest} from "../utils/VaultTest.sol";

contract ListingTest is VaultTest {
    event LimitsSet(
        address indexed token, uint128 minDeposit, uint128 minWithdrawal, uint128 depositCap
    );

    PlainToken internal token;

    function setUp() public override {
        super.setUp();
        token = new PlainToken(18);
    }

    function _new(uint32 ledger) internal view returns (IVault.ListingConfig memory) {
        return IVault.ListingConfig(
            address(token), ledger, 1e12, true, 1e12, 1e12, 1e30, _noPayoutLimits()
        );
    }

    function _expectAndList(IVault.ListingConfig memory config, bytes memory fault) private {
        vm.prank(admin);
        vm.expectRevert(fault);
        vault.listToken(config);
    }

    function test_TheConstructorListsFromTheFirstEvent() public view {
        assertEq(vault.lastSeq(), 2);
        assertEq(vault.tokenOf(1001), ETHER);
        assertEq(vault.tokenOf(1002), address(dollar));
        IVault.Listing memory listing = vault.listingOf(address(dollar));
        assertEq(listing.ledger, 1002);
        assertTrue(listing.depositsOpen);
        assertFalse(listing.creditsMeasuredDelta);
        assertEq(listing.scaleDivisor, DOLLAR_DIVISOR);
        assertEq(listing.minDeposit, DOLLAR);
        assertEq(listing.minWithdrawal, DOLLAR);
        assertEq(listing.depositCap, 1_000_000_000 * DOLLAR);
        assertEq(listing.accounted, 0);
        assertEq(listing.claimableTotal, 0);
    }

    function testFuzz_ATokenIsListed(uint32 ledger, uint8 decimals) public {
        ledger = uint32(bound(ledger, 1003, type(uint32).max >> 1));
        token = new PlainToken(decimals);
        _expectEvent();
        emit TokenListed(address(token), ledger, 3, 1e12, decimals, true);
        _expectEvent();
        emit LimitsSet(address(token), 1e12, 1e12, 1e30);
        vm.prank(admin);
        vault.listToken(_new(ledger));
        assertEq(vault.tokenOf(ledger), address(token));
        assertTrue(vault.listingOf(address(token)).creditsMeasuredDelta);
    }

    function test_DecimalsThatCannotBeReadAre255() public {
        IVault.ListingConfig memory config = _new(1500);
        config.token = address(new SilentToken());
        _expectEvent();
        emit TokenListed(config.token, 1500, 3, 1e12, 255, true);
        vm.prank(admin);
        vault.listToken(config);
    }

    function testFuzz_ReservedLedgersAreRefused(uint32 ledger) public {
        vm.assume(ledger < 1000 || ledger > type(uint32).max >> 1);
        _expectAndList(
            _new(ledger),
            abi.encodeWithSelector(LedgerOutOfRange.selector, ledger, 1000, type(uint32).max >> 1)
        );
    }

    function test_ALedgerBelongsToOneToken() public {
        _expectAndList(
            _new(1002), abi.encodeWithSelector(LedgerTaken.selector, 1002, address(dollar))
        );
        // Even after it was delisted.
        vm.prank(admin);
        vault.delistToken(address(dollar));
        _expectAndList(
            _new(1002), abi.encodeWithSelector(LedgerTaken.selector, 1002, address(dollar))
        );
    }

    function test_AListingNeedsSoundValues() public {
        IVault.ListingConfig memory config = _new(1500);
        uint128[4] memory divisors = [uint128(0), 2, 1e12 + 1, type(uint128).max];
        for (uint256 i = 0; i < divisors.length; ++i) {
            config.scaleDivisor = divisors[i];
            _expectAndList(
                config,
                abi.encodeWithSelector(ScaleDivisorNotPowerOfTen.selector, token, divisors[i])
            );
        }
        config = _new(1500);
        config.minDeposit = 0;
        _expectAndList(config, abi.encodeWithSelector(MinimumIsZero.selector, token));
        config = _new(1500);
        config.minWithdrawal = 0;
        _expectAndList(config, abi.encodeWithSelector(MinimumIsZero.selector, token));
        config = _new(1500);
        config.minDeposit = 1e20 + 1;
        _expectAndList(
            config, abi.encodeWithSelector(LimitTooPrecise.selector, 1e20 + 1, (1 << 26) - 1)
        );
        config = _new(1500);
        config.token = address(0xdead);
        _expectAndList(config, abi.encodeWithSelector(TokenHasNoCode.selector, address(0xdead)));
        config.token = address(0);
        _expectAndList(config, abi.encodeWithSelector(TokenHasNoCode.selector, address(0)));
        assertEq(vault.lastSeq(), 2);
    }

    function test_AnOpenListingIsNotRepeated() public {
        _expectAndList(
            _dollarListing(), abi.encodeWithSelector(TokenAlreadyListed.selector, dollar)
        );
    }

    function test_DelistingStopsDepositsOnly() public {
        _depositDollar(alice, 10 * DOLLAR);
        _expectEvent();
        emit TokenDelisted(address(dollar), 1002, 4);
        vm.prank(admin);
        vault.delistToken(address(dollar));
        vm.expectRevert(abi.encodeWithSelector(TokenDepositsStopped.selector, dollar));
        _depositDollar(alice, DOLLAR);
        (Withdrawal memory w, bytes32 id) = _request(alice, address(dollar), bob, 10 * DOLLAR);
        _payout(_requestItem(w));
        _assertState(id, State.Paid);
        vm.prank(admin);
        vm.expectRevert(abi.encodeWithSelector(TokenAlreadyDelisted.selector, dollar));
        vault.delistToken(address(dollar));
    }

    function test_ADelistedTokenOpensAgainUnchanged() public {
        _depositDollar(alice, 10 * DOLLAR);
        vm.prank(admin);
        vault.delistToken(address(dollar));
        bytes memory fault = abi.encodeWithSelector(
            ListingIsWriteOnce.selector, dollar, 1002, DOLLAR_DIVISOR, false
        );
        IVault.ListingConfig memory config = _dollarListing();
        config.ledger = 1600;
        _expectAndList(config, fault);
        config = _dollarListing();
        config.scaleDivisor = 1;
        _expectAndList(config, fault);
        config = _dollarListing();
        config.creditsMeasuredDelta = true;
        _expectAndList(config, fault);
        config = _dollarListing();
        config.minWithdrawal = DOLLAR + 1;
        _expectAndList(
            config,
            abi.encodeWithSelector(MinWithdrawalOnlyGoesDown.selector, dollar, DOLLAR, DOLLAR + 1)
        );
        vm.prank(admin);
        vault.listToken(_dollarListing());
        _depositDollar(alice, DOLLAR);
        assertEq(vault.accounted(address(dollar)), 11 * DOLLAR);
    }

    function test_OnlyListedTokensAreAdministered() public {
        vm.startPrank(admin);
        vm.expectRevert(abi.encodeWithSelector(TokenNotListed.selector, token));
        vault.delistToken(address(token));
        vm.expectRevert(abi.encodeWithSelector(TokenNotListed.selector, token));
        vault.setLimits(address(token), 1, 1, 1);
        vm.stopPrank();
    }

    function testFuzz_TheMinimumWithdrawalOnlyGoesDown(uint128 first, uint128 second) public {
        first = uint128(bound(first, 1, DOLLAR));
        second = uint128(bound(second, 1, type(uint128).max));
        vm.startPrank(admin);
        vault.setLimits(address(dollar), DOLLAR, first, 0);
        if (second > first) {
            vm.expectRevert(
                abi.encodeWithSelector(MinWithdrawalOnlyGoesDown.selector, dollar, first, second)
            );
        } else if (second > (1 << 40) - 1) {
            return;
        }
        vault.setLimits(address(dollar), DOLLAR, second, 0);
        vm.stopPrank();
        assertLe(vault.listingOf(address(dollar)).minWithdrawal, first);
    }

    function test_LimitsAreNoLedgerEvent() public {
        vm.prank(admin);
        vault.setLimits(address(dollar), 1, 1, 1);
        assertEq(vault.lastSeq(), 2);
    }
}
