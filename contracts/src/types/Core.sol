// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice The one slot that every action touches, ether's books included, so that a deposit of
/// ether writes nothing else.
/// @dev From the low end: lastSeq 48, depositsPausedUntil 32, payoutsPausedUntil 32, threshold 8,
/// etherAccounted 96, etherSpentUntil 40. Times fit 32 bits until 2106; 96 bits hold more wei than
/// there can be; 48 bits hold ten events a millisecond for a thousand years.
type Core is uint256;

using CoreLib for Core global;

/// @title Access to the core slot
library CoreLib {
    uint256 private constant SEQ = (1 << 48) - 1;
    uint256 private constant TIME = (1 << 32) - 1;
    uint256 private constant ETHER = (1 << 96) - 1;
    uint256 private constant SPENT = (1 << 40) - 1;

    /// @notice The number of the last ledger-relevant event.
    function lastSeq(Core self) internal pure returns (uint64) {
        return uint64(Core.unwrap(self) & SEQ);
    }

    /// @notice Unix seconds until which deposits are paused.
    function depositsPausedUntil(Core self) internal pure returns (uint64) {
        return uint64(Core.unwrap(self) >> 48 & TIME);
    }

    /// @notice Unix seconds until which payouts are paused.
    function payoutsPausedUntil(Core self) internal pure returns (uint64) {
        return uint64(Core.unwrap(self) >> 80 & TIME);
    }

    /// @notice How many payout signatures a root needs.
    function threshold(Core self) internal pure returns (uint256) {
        return Core.unwrap(self) >> 112 & 0xff;
    }

    /// @notice What the ledger may count on in ether, wei.
    function etherAccounted(Core self) internal pure returns (uint256) {
        return Core.unwrap(self) >> 120 & ETHER;
    }

    /// @notice When ether's payout budget is full again, 1/256 seconds of Unix time.
    function etherSpentUntil(Core self) internal pure returns (uint256) {
        return Core.unwrap(self) >> 216;
    }

    /// @notice The next event's number taken.
    function next(Core self) internal pure returns (Core) {
        unchecked {
            // The lowest bits; they cannot overflow within the life of a chain.
            return Core.wrap(Core.unwrap(self) + 1);
        }
    }

    /// @notice With deposits paused until `until`.
    function pauseDeposits(Core self, uint256 until) internal pure returns (Core) {
        return Core.wrap(Core.unwrap(self) & ~(TIME << 48) | (until & TIME) << 48);
    }

    /// @notice With payouts paused until `until`.
    function pausePayouts(Core self, uint256 until) internal pure returns (Core) {
        return Core.wrap(Core.unwrap(self) & ~(TIME << 80) | (until & TIME) << 80);
    }

    /// @notice With another threshold; the caller keeps it under 256.
    function withThreshold(Core self, uint256 value) internal pure returns (Core) {
        return Core.wrap(Core.unwrap(self) & ~(uint256(0xff) << 112) | value << 112);
    }

    /// @notice With other books of ether; the caller keeps them within their bits.
    function withEther(Core self, uint256 accounted, uint256 spentUntil)
        internal
        pure
        returns (Core)
    {
        uint256 rest = Core.unwrap(self) & (1 << 120) - 1;
        return Core.wrap(rest | accounted << 120 | spentUntil << 216);
    }
}
