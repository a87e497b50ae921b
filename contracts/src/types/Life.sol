// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IVaultTypes} from "../interfaces/IVaultTypes.sol";

/// @notice Where a withdrawal is in its life, and for a queued one its window: one slot.
/// @dev From the low end: state 8, finalizeAfter 40, finalizeAfterBlock 40, expiresAt 40.
type Life is uint256;

using LifeLib for Life global;

/// @title Access to a withdrawal's life
library LifeLib {
    /// @notice A state without a window.
    function plain(IVaultTypes.State state_) internal pure returns (Life) {
        return Life.wrap(uint256(state_));
    }

    /// @notice The queued state with its window; the caller keeps the numbers under 2^40.
    function queued(uint256 after_, uint256 afterBlock, uint256 expires)
        internal
        pure
        returns (Life)
    {
        return Life.wrap(
            uint256(IVaultTypes.State.Queued) | after_ << 8 | afterBlock << 48 | expires << 88
        );
    }

    /// @notice The state.
    function state(Life self) internal pure returns (IVaultTypes.State) {
        return IVaultTypes.State(Life.unwrap(self) & 0xff);
    }

    /// @notice From this time on a queued payout may be finalized, Unix seconds.
    function finalizeAfter(Life self) internal pure returns (uint64) {
        return uint64(Life.unwrap(self) >> 8 & (1 << 40) - 1);
    }

    /// @notice From this block on a queued payout may be finalized.
    function finalizeAfterBlock(Life self) internal pure returns (uint64) {
        return uint64(Life.unwrap(self) >> 48 & (1 << 40) - 1);
    }

    /// @notice After this time a queued payout can only be cancelled, Unix seconds.
    function expiresAt(Life self) internal pure returns (uint64) {
        return uint64(Life.unwrap(self) >> 88 & (1 << 40) - 1);
    }
}
