// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IVault} from "sovr/src/interfaces/IVault.sol";
import {IVaultErrors} from "sovr/src/interfaces/IVaultErrors.sol";

/// @title An example: a contract that deposits for its users
/// @notice Takes tokens or ether from whoever calls and credits the named user in the ledger. It
/// never keeps anything: what the ledger has no unit for goes back to the caller.
contract PayIn {
    using SafeERC20 for IERC20;

    address private constant ETHER = 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE;

    /// @notice Where deposits go.
    IVault public immutable vault;

    /// @notice The caller does not accept the change.
    error ChangeNotAccepted(address caller, uint256 change);

    constructor(IVault vault_) {
        vault = vault_;
    }

    /// @notice Deposits as much of `amount` as the ledger has units for, for `user`.
    /// @return deposited what was credited, in token units; only that much is taken
    function payIn(IERC20 token, uint128 amount, address user)
        external
        returns (uint128 deposited)
    {
        deposited = _wholeUnits(address(token), amount);
        token.safeTransferFrom(msg.sender, address(this), deposited);
        token.forceApprove(address(vault), deposited);
        vault.deposit(address(token), deposited, user);
    }

    /// @notice Deposits as much of the ether sent along as the ledger has units for, for `user`.
    /// @return deposited what was credited, in wei; the rest is sent back
    function payInEther(address user) external payable returns (uint128 deposited) {
        deposited = _wholeUnits(ETHER, uint128(msg.value));
        vault.depositEther{value: deposited}(user);
        uint256 change = msg.value - deposited;
        if (change == 0) return deposited;
        (bool accepted,) = msg.sender.call{value: change}("");
        if (!accepted) revert ChangeNotAccepted(msg.sender, change);
    }

    function _wholeUnits(address token, uint128 amount) private view returns (uint128) {
        uint128 divisor = vault.listingOf(token).scaleDivisor;
        if (divisor == 0) revert IVaultErrors.TokenNotListed(token);
        return amount - amount % divisor;
    }
}
