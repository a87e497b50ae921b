// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";

import {IVaultErrors} from "../../src/interfaces/IVaultErrors.sol";
import {Book, BookLib} from "../../src/types/Book.sol";
import {Core} from "../../src/types/Core.sol";
import {Decimal} from "../../src/types/Decimal.sol";
import {Limits, LimitsLib} from "../../src/types/Limits.sol";

/// @dev Packed words: what is written comes back, and nothing beside it changes.
contract TypesTest is Test {
    function pack(uint128 value, uint256 width) external pure returns (uint256) {
        return Decimal.pack(value, width);
    }

    function testFuzz_WhatFitsComesBackExactly(uint128 mantissa, uint8 exponent, bool wide)
        public
        pure
    {
        uint256 width = wide ? 46 : 32;
        mantissa = uint128(bound(mantissa, 0, (1 << (width - 6)) - 2));
        exponent = uint8(bound(exponent, 0, wide ? 26 : 30));
        uint128 value = uint128(mantissa * 10 ** exponent);
        uint256 packed = Decimal.pack(value, width);
        assertLt(packed, 1 << width);
        assertEq(Decimal.unpack(packed), value);
    }

    function testFuzz_WhatDoesNotFitIsRefused(uint128 value) public {
        uint256 largest = (1 << 26) - 1;
        uint256 rest = value;
        while (rest > largest && rest % 10 == 0) {
            rest /= 10;
        }
        if (rest > largest && value != type(uint128).max) {
            vm.expectRevert(
                abi.encodeWithSelector(IVaultErrors.LimitTooPrecise.selector, value, largest)
            );
        }
        this.pack(value, 32);
    }

    function test_NoLimitIsAboveEveryAmount() public pure {
        assertGe(Decimal.unpack(Decimal.pack(type(uint128).max, 32)), type(uint128).max);
        assertGe(Decimal.unpack(Decimal.pack(type(uint128).max, 46)), type(uint128).max);
        assertEq(Decimal.clamp(Decimal.unpack((1 << 46) - 1)), type(uint128).max);
        assertEq(Decimal.clamp(7), 7);
    }

    function testFuzz_TheCoresFieldsAreApart(uint256 word, uint32 a, uint32 b, uint96 held)
        public
        pure
    {
        Core core = Core.wrap(word >> 1);
        uint40 spent = uint40(word);
        Core changed = core.pauseDeposits(a).pausePayouts(b).withThreshold(7).withEther(held, spent);
        assertEq(changed.lastSeq(), core.lastSeq());
        assertEq(changed.depositsPausedUntil(), a);
        assertEq(changed.payoutsPausedUntil(), b);
        assertEq(changed.threshold(), 7);
        assertEq(changed.etherAccounted(), held);
        assertEq(changed.etherSpentUntil(), spent);
        core = Core.wrap(Core.unwrap(changed) & ~uint256(0xff));
        assertEq(Core.unwrap(core.next()), Core.unwrap(core) + 1);
        assertEq(core.next().lastSeq(), core.lastSeq() + 1);
    }

    function testFuzz_TheBooksFieldsAreApart(uint112 held, uint40 spent, uint32 ledger, bool flag)
        public
        pure
    {
        Book book = BookLib.list(ledger, 12, flag).withLimits(5e15, 7e30).opened(!flag);
        Book changed = book.withBooks(held, spent);
        assertEq(changed.accounted(), held);
        assertEq(changed.spentUntil(), spent);
        assertEq(changed.ledger(), ledger);
        assertEq(changed.scaleDivisor(), 1e12);
        assertEq(changed.isMeasured(), flag);
        assertEq(changed.isOpen(), !flag);
        assertEq(changed.minDeposit(), 5e15);
        assertEq(changed.depositCap(), 7e30);
        assertEq(Book.unwrap(changed.withBooks(0, 0)), Book.unwrap(book));
        assertEq(
            Book.unwrap(changed.opened(true).opened(false)), Book.unwrap(changed.opened(false))
        );
    }

    function testFuzz_TheLimitsFieldsAreApart(uint32 ledger, uint32 period, uint16 a, uint16 b)
        public
        pure
    {
        Limits limits = LimitsLib.list(ledger, 10).withMinWithdrawal(a);
        limits = limits.withPayouts(uint128(b) * 1e18, type(uint128).max, 3e20, period);
        assertEq(limits.ledger(), ledger);
        assertEq(limits.scaleDivisor(), 1e10);
        assertEq(limits.minWithdrawal(), a);
        assertEq(limits.maxPayout(), uint256(b) * 1e18);
        assertGe(limits.queueAbove(), type(uint128).max);
        assertEq(limits.budgetCapacity(), 3e20);
        assertEq(limits.budgetPeriod(), period);
        assertEq(limits.withMinWithdrawal(b).minWithdrawal(), b);
        assertEq(limits.withMinWithdrawal(b).maxPayout(), limits.maxPayout());
    }
}
