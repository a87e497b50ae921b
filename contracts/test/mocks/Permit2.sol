// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IPermit2} from "../../src/interfaces/IPermit2.sol";

/// @dev Signature transfers as Permit2 documents them: one use of a nonce, a deadline, spender and
/// witness under the signature. For key accounts only. Put it at Permit2's address with `etch`.
contract Permit2Double is IPermit2 {
    mapping(address owner => mapping(uint256 nonce => bool)) public used;

    error SignatureExpired(uint256 deadline);
    error InvalidNonce();
    error InvalidSigner();
    error InvalidAmount(uint256 maxAmount);

    function permitWitnessTransferFrom(
        PermitTransferFrom calldata permit,
        SignatureTransferDetails calldata details,
        address owner,
        bytes32 witness,
        string calldata witnessType,
        bytes calldata signature
    ) external {
        if (block.timestamp > permit.deadline) {
            revert SignatureExpired(permit.deadline);
        }
        if (details.requestedAmount > permit.permitted.amount) {
            revert InvalidAmount(permit.permitted.amount);
        }
        if (used[owner][permit.nonce]) revert InvalidNonce();
        used[owner][permit.nonce] = true;
        bytes32 hash = digest(permit, msg.sender, witness, witnessType);
        (bytes32 r, bytes32 s) = abi.decode(signature[:64], (bytes32, bytes32));
        if (ecrecover(hash, uint8(signature[64]), r, s) != owner) revert InvalidSigner();
        require(
            IERC20(permit.permitted.token).transferFrom(owner, details.to, details.requestedAmount),
            "transfer failed"
        );
    }

    function digest(
        PermitTransferFrom memory permit,
        address spender,
        bytes32 witness,
        string memory witnessType
    ) public view returns (bytes32) {
        bytes32 typehash = keccak256(
            abi.encodePacked(
                "PermitWitnessTransferFrom(TokenPermissions permitted,address spender,",
                "uint256 nonce,uint256 deadline,",
                witnessType
            )
        );
        bytes32 permitted = keccak256(
            abi.encode(
                keccak256("TokenPermissions(address token,uint256 amount)"),
                permit.permitted.token,
                permit.permitted.amount
            )
        );
        bytes32 separator = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,uint256 chainId,address verifyingContract)"),
                keccak256("Permit2"),
                block.chainid,
                address(this)
            )
        );
        bytes32 structHash = keccak256(
            abi.encode(typehash, permitted, spender, permit.nonce, permit.deadline, witness)
        );
        return keccak256(abi.encodePacked(hex"1901", separator, structHash));
    }
}
