// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Decimal} from "./Decimal.sol";

/// @notice One slot a token: all that a withdrawal checks.
/// @dev From the low end: minWithdrawal, maxPayout, queueAbove, budgetCapacity (46 bits each,
/// `Decimal`), budgetPeriod 32, ledger 32, scale exponent 6. The last two repeat the book's, which
/// never change, so that a request reads one slot.
type Limits is uint256;

using LimitsLib for Limits global;

/// @title Access to a token's withdrawal limits, and its payout budget
/// @notice The budget is a bucket that refills steadily. Its level is kept as the time at which it
/// will be full again, so one number holds level and last use: paying `amount` moves that time by
/// `period * amount / capacity`, and it may lie at most `period` ahead (the virtual scheduling form
/// of the leaky bucket, ITU-T I.371).
library LimitsLib {
    uint256 private constant DECIMAL = 46;
    uint256 private constant MASK = (1 << DECIMAL) - 1;

    /// @notice A first listing, whose minimum may still be set freely.
    function list(uint32 ledger_, uint256 exponent) internal pure returns (Limits) {
        return Limits.wrap(MASK | uint256(ledger_) << 216 | exponent << 248);
    }

    /// @notice The ledger number; 0 means never listed.
    function ledger(Limits self) internal pure returns (uint32) {
        return uint32(Limits.unwrap(self) >> 216);
    }

    /// @notice Token units in one ledger unit.
    function scaleDivisor(Limits self) internal pure returns (uint128) {
        unchecked {
            // A listing has an exponent of at most 38.
            return uint128(10 ** (Limits.unwrap(self) >> 248 & 63));
        }
    }

    /// @notice Smallest withdrawal, token units.
    function minWithdrawal(Limits self) internal pure returns (uint256) {
        return Decimal.unpack(Limits.unwrap(self) & MASK);
    }

    /// @notice Largest single payout, token units.
    function maxPayout(Limits self) internal pure returns (uint256) {
        return Decimal.unpack(Limits.unwrap(self) >> 46 & MASK);
    }

    /// @notice Larger payouts wait in the queue, token units.
    function queueAbove(Limits self) internal pure returns (uint256) {
        return Decimal.unpack(Limits.unwrap(self) >> 92 & MASK);
    }

    /// @notice What a full budget holds, token units.
    function budgetCapacity(Limits self) internal pure returns (uint256) {
        return Decimal.unpack(Limits.unwrap(self) >> 138 & MASK);
    }

    /// @notice Seconds in which an empty budget refills.
    function budgetPeriod(Limits self) internal pure returns (uint32) {
        return uint32(Limits.unwrap(self) >> 184);
    }

    /// @notice With another minimum withdrawal. Reverts with `LimitTooPrecise`.
    function withMinWithdrawal(Limits self, uint128 minimum) internal pure returns (Limits) {
        return Limits.wrap(Limits.unwrap(self) & ~MASK | Decimal.pack(minimum, DECIMAL));
    }

    /// @notice With other payout limits. Reverts with `LimitTooPrecise`.
    function withPayouts(
        Limits self,
        uint128 maxPayout_,
        uint128 queueAbove_,
        uint128 capacity,
        uint32 period
    ) internal pure returns (Limits) {
        uint256 kept = Limits.unwrap(self) & (MASK | ~uint256((1 << 216) - 1));
        return Limits.wrap(
            kept | Decimal.pack(maxPayout_, DECIMAL) << 46 | Decimal.pack(queueAbove_, DECIMAL)
                << 92 | Decimal.pack(capacity, DECIMAL) << 138 | uint256(period) << 184
        );
    }

    /// @notice The budget after paying `amount`.
    /// @dev Rounded up, so the budget never gives more than it has; one payout costs at least
    /// 1/256 of a second of refill.
    /// @param spentUntil when the budget is full again, 1/256 seconds of Unix time
    /// @param amount token units
    /// @return the new `spentUntil`, or 0 where the budget has less than `amount`
    function spend(Limits self, uint256 spentUntil, uint256 amount)
        internal
        view
        returns (uint256)
    {
        unchecked {
            // All terms are below 2^40 but the product, which is below 2^168.
            uint256 today = block.timestamp << 8;
            uint256 period = uint256(self.budgetPeriod()) << 8;
            uint256 capacity = self.budgetCapacity();
            uint256 start = spentUntil < today ? today : spentUntil;
            uint256 end = start + (amount * period + capacity - 1) / capacity;
            return end > today + period ? 0 : end;
        }
    }

    /// @notice What the budget has left, token units, rounded down; 0 where none was ever set.
    function available(Limits self, uint256 spentUntil) internal view returns (uint128) {
        uint256 today = block.timestamp << 8;
        uint256 period = uint256(self.budgetPeriod()) << 8;
        uint256 owed = spentUntil < today ? 0 : spentUntil - today;
        if (owed >= period) return 0;
        return uint128(uint256(Decimal.clamp(self.budgetCapacity())) * (period - owed) / period);
    }
}
