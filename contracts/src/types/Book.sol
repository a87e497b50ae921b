// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Decimal} from "./Decimal.sol";

/// @notice One slot a token: its books and all that a deposit checks.
/// @dev From the low end: accounted 112, spentUntil 40, ledger 32, scale exponent 6, open 1,
/// measured 1, depositCap 32, minDeposit 32 (both `Decimal`). Ether keeps accounted and spentUntil
/// in the core slot; here they stay 0.
type Book is uint256;

using BookLib for Book global;

/// @title Access to a token's books
library BookLib {
    uint256 internal constant MAX_ACCOUNTED = type(uint112).max;
    uint256 private constant DECIMAL = 32;
    uint256 private constant OPEN = 1 << 190;
    uint256 private constant MEASURED = 1 << 191;

    /// @notice A first listing, closed and without limits.
    function list(uint32 ledger_, uint256 exponent, bool measured_) internal pure returns (Book) {
        return
            Book.wrap(
                uint256(ledger_) << 152 | exponent << 184 | (measured_ ? MEASURED : uint256(0))
            );
    }

    /// @notice What the ledger may count on, token units.
    function accounted(Book self) internal pure returns (uint256) {
        return Book.unwrap(self) & MAX_ACCOUNTED;
    }

    /// @notice When the payout budget is full again, 1/256 seconds of Unix time.
    function spentUntil(Book self) internal pure returns (uint256) {
        return Book.unwrap(self) >> 112 & (1 << 40) - 1;
    }

    /// @notice The ledger number; 0 means never listed.
    function ledger(Book self) internal pure returns (uint32) {
        return uint32(Book.unwrap(self) >> 152);
    }

    /// @notice Token units in one ledger unit.
    function scaleDivisor(Book self) internal pure returns (uint128) {
        unchecked {
            // A listing has an exponent of at most 38.
            return uint128(10 ** (Book.unwrap(self) >> 184 & 63));
        }
    }

    /// @notice Whether deposits are open.
    function isOpen(Book self) internal pure returns (bool) {
        return Book.unwrap(self) & OPEN != 0;
    }

    /// @notice Whether deposits credit the measured delta.
    function isMeasured(Book self) internal pure returns (bool) {
        return Book.unwrap(self) & MEASURED != 0;
    }

    /// @notice Deposits stop above this many accounted token units.
    function depositCap(Book self) internal pure returns (uint256) {
        return Decimal.unpack(Book.unwrap(self) >> 192 & (1 << DECIMAL) - 1);
    }

    /// @notice Smallest deposit, token units.
    function minDeposit(Book self) internal pure returns (uint256) {
        return Decimal.unpack(Book.unwrap(self) >> 224);
    }

    /// @notice With deposits open or closed.
    function opened(Book self, bool open) internal pure returns (Book) {
        return Book.wrap(open ? Book.unwrap(self) | OPEN : Book.unwrap(self) & ~OPEN);
    }

    /// @notice With other books; the caller keeps them within their bits.
    function withBooks(Book self, uint256 accounted_, uint256 spentUntil_)
        internal
        pure
        returns (Book)
    {
        uint256 rest = Book.unwrap(self) & ~uint256((1 << 152) - 1);
        return Book.wrap(rest | accounted_ | spentUntil_ << 112);
    }

    /// @notice With other deposit limits. Reverts with `LimitTooPrecise`.
    function withLimits(Book self, uint128 minDeposit_, uint128 depositCap_)
        internal
        pure
        returns (Book)
    {
        uint256 rest = Book.unwrap(self) & (1 << 192) - 1;
        return Book.wrap(
            rest | Decimal.pack(depositCap_, DECIMAL) << 192 | Decimal.pack(minDeposit_, DECIMAL)
                << 224
        );
    }
}
