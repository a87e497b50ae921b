// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IVaultErrors} from "../interfaces/IVaultErrors.sol";

/// @title Limits in few bits
/// @notice A limit is stored as `mantissa * 10^exponent`: people choose round numbers, and so a
/// deposit finds all that it needs in one slot. What does not fit exactly is refused, never
/// rounded. The largest uint128 means "no limit" and is stored as all ones.
/// @dev The exponent is the low six bits, the mantissa all bits above.
library Decimal {
    uint256 private constant EXPONENT_BITS = 6;

    /// @notice Packs `value` into `width` bits.
    /// @dev Reverts with `LimitTooPrecise` where it has too many significant digits.
    function pack(uint128 value, uint256 width) internal pure returns (uint256) {
        uint256 largest = (1 << (width - EXPONENT_BITS)) - 1;
        if (value == type(uint128).max) return (1 << width) - 1;
        uint256 mantissa = value;
        uint256 exponent = 0;
        while (mantissa > largest) {
            if (mantissa % 10 != 0) revert IVaultErrors.LimitTooPrecise(value, largest);
            mantissa /= 10;
            ++exponent;
        }
        return mantissa << EXPONENT_BITS | exponent;
    }

    /// @notice The value that `pack` put into as many bits as are given; above the largest uint128
    /// where there is no limit.
    function unpack(uint256 packed) internal pure returns (uint256) {
        unchecked {
            // Less than 2^58 * 10^63 for any width up to 64 bits.
            return (packed >> EXPONENT_BITS) * 10 ** (packed & 63);
        }
    }

    /// @notice A value as people see it: the largest uint128 where there is no limit.
    function clamp(uint256 value) internal pure returns (uint128) {
        return value > type(uint128).max ? type(uint128).max : uint128(value);
    }
}
