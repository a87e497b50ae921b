// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @dev Balances without a standard around them, for tokens that do not follow it.
abstract contract BareToken {
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function _move(address from, address to, uint256 amount) internal {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// @dev Returns nothing from transfers, as the best-known dollar token does.
contract NoReturnToken is BareToken {
    function approve(address spender, uint256 amount) external {
        allowance[msg.sender][spender] = amount;
    }

    function transfer(address to, uint256 amount) external {
        _move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        _move(from, to, amount);
    }
}

/// @dev Answers false instead of reverting, once told to refuse.
contract FalseReturnToken is BareToken {
    bool public refuses;

    function refuse(bool on) external {
        refuses = on;
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        if (refuses) return false;
        _move(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        if (refuses) return false;
        allowance[from][msg.sender] -= amount;
        _move(from, to, amount);
        return true;
    }
}

/// @dev Moves the money and then answers false, once told to lie.
contract MovesAndSaysFalseToken is BareToken {
    bool public lies;

    function lie(bool on) external {
        lies = on;
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        _move(msg.sender, to, amount);
        return !lies;
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        allowance[from][msg.sender] -= amount;
        _move(from, to, amount);
        return !lies;
    }
}

/// @dev A token with mint, whatever its decimals.
contract PlainToken is ERC20 {
    uint8 private immutable _DECIMALS;

    constructor(uint8 decimals_) ERC20("Plain", "PLAIN") {
        _DECIMALS = decimals_;
    }

    function decimals() public view override returns (uint8) {
        return _DECIMALS;
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @dev Keeps one percent of every transfer.
contract FeeToken is PlainToken {
    constructor() PlainToken(18) {}

    function _update(address from, address to, uint256 amount) internal override {
        uint256 fee = from == address(0) ? 0 : amount / 100;
        super._update(from, to, amount - fee);
        if (fee != 0) super._update(from, address(0xfee), fee);
    }
}

/// @dev Moves more than it was asked to.
contract GenerousToken is PlainToken {
    constructor() PlainToken(18) {}

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (from != address(0)) super._update(address(0), to, 1);
    }
}

/// @dev Refuses transfers to and from blocked accounts.
contract BlockingToken is PlainToken {
    mapping(address => bool) public blocked;

    constructor() PlainToken(6) {}

    error Blocked(address account);

    function setBlocked(address account, bool on) external {
        blocked[account] = on;
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (blocked[from]) revert Blocked(from);
        if (blocked[to]) revert Blocked(to);
        super._update(from, to, amount);
    }
}

/// @dev Calls back while it moves: into a target with data that the test chose.
contract CallingToken is PlainToken {
    address public target;
    bytes public data;
    bool public lastSucceeded;
    bytes public lastAnswer;

    constructor() PlainToken(18) {}

    function arm(address target_, bytes calldata data_) external {
        target = target_;
        data = data_;
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (target != address(0) && from != address(0)) {
            (lastSucceeded, lastAnswer) = target.call(data);
        }
        super._update(from, to, amount);
    }
}

/// @dev Its balances shrink without a transfer, as a rebasing token's do.
contract RebasingToken is PlainToken {
    constructor() PlainToken(18) {}

    function shrink(address account, uint256 amount) external {
        _burn(account, amount);
    }
}

/// @dev Accepts every call and moves nothing.
contract SilentToken {
    fallback() external {}
}

/// @dev An honest token whose fallback accepts every call it does not know, permits included.
contract SwallowingToken is PlainToken {
    constructor() PlainToken(18) {}

    fallback() external {}
}
