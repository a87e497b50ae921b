// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "solady/tokens/ERC20.sol";

/// @title A dollar token for development chains
/// @notice Anybody can mint it, so it is worth nothing: the deploy script refuses it outside
/// development chains. It has EIP-2612 permits, as the common dollar tokens have.
contract TestToken is ERC20 {
    /// @notice The token's name, part of its permits' domain.
    function name() public pure override returns (string memory) {
        return "Test Dollar";
    }

    /// @notice Its symbol.
    function symbol() public pure override returns (string memory) {
        return "TUSD";
    }

    /// @notice Six decimals, as the common dollar tokens have.
    function decimals() public pure override returns (uint8) {
        return 6;
    }

    /// @notice Creates `amount` token units for `to`.
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    /// @dev An approval of Permit2 is given as for any other spender.
    function _givePermit2InfiniteAllowance() internal pure override returns (bool) {
        return false;
    }
}
