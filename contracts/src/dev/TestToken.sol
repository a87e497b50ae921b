// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title A dollar token for development chains
/// @notice Anybody can mint it, so it is worth nothing: the deploy script refuses it outside
/// development chains.
contract TestToken is ERC20 {
    constructor() ERC20("Test Dollar", "TUSD") {}

    /// @notice Six decimals, as the common dollar tokens have.
    function decimals() public pure override returns (uint8) {
        return 6;
    }

    /// @notice Creates `amount` token units for `to`.
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}
