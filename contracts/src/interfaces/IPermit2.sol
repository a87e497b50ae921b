// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The part of Permit2 that the vault calls
/// @notice Permit2's signature transfer with a witness: its signer says in the same signature whom
/// the deposit is for.
interface IPermit2 {
    /// @notice Token and largest amount that the signature is good for.
    struct TokenPermissions {
        address token;
        uint256 amount;
    }

    /// @notice What the depositor signs, besides spender and witness.
    struct PermitTransferFrom {
        TokenPermissions permitted;
        uint256 nonce;
        uint256 deadline;
    }

    /// @notice What the spender asks for.
    struct SignatureTransferDetails {
        address to;
        uint256 requestedAmount;
    }

    /// @notice Moves tokens of `owner` under their signature.
    /// @param witness EIP-712 hash of the struct that the signature covers besides
    /// @param witnessTypeString its type, as Permit2 appends it to its own
    function permitWitnessTransferFrom(
        PermitTransferFrom calldata permit,
        SignatureTransferDetails calldata transferDetails,
        address owner,
        bytes32 witness,
        string calldata witnessTypeString,
        bytes calldata signature
    ) external;
}
