// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @dev Refuses ether.
contract Rejecter {
    error NoThanks();

    receive() external payable {
        revert NoThanks();
    }
}

/// @dev Burns all gas it gets.
contract GasBurner {
    receive() external payable {
        while (true) {}
    }
}

/// @dev Reverts with as much data as its gas can buy.
contract DataBomber {
    receive() external payable {
        assembly {
            revert(0, 100000)
        }
    }
}

/// @dev Needs nearly, but not quite, all of what a push grants; succeeds with it and fails without.
contract HungryReceiver {
    uint256 public received;

    receive() external payable {
        uint256 start = gasleft();
        while (start - gasleft() < 140_000) {}
        received += msg.value;
    }
}

/// @dev Calls the given target while it receives ether, and remembers how that went.
contract ReentrantReceiver {
    address public target;
    bytes public data;
    bool public called;
    bool public succeeded;
    bytes public answer;

    function arm(address target_, bytes calldata data_) external {
        target = target_;
        data = data_;
    }

    receive() external payable {
        called = true;
        (succeeded, answer) = target.call(data);
    }
}

/// @dev A wallet whose owner is a key; answers as ERC-1271 asks.
contract Wallet {
    address public immutable KEY;
    bool public closed;

    constructor(address key) {
        KEY = key;
    }

    function close() external {
        closed = true;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature)
        external
        view
        returns (bytes4)
    {
        (bytes32 r, bytes32 s) = abi.decode(signature, (bytes32, bytes32));
        uint8 v = uint8(signature[64]);
        return !closed && ecrecover(digest, v, r, s) == KEY
            ? this.isValidSignature.selector
            : bytes4(0xffffffff);
    }

    receive() external payable {}

    function run(address target, bytes calldata data) external returns (bytes memory) {
        (bool success, bytes memory answer) = target.call(data);
        require(success, "call failed");
        return answer;
    }
}

/// @dev A wallet that burns all gas when asked about a signature.
contract BurningWallet {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        while (true) {}
        return 0;
    }
}

/// @dev Answers a signature question with one byte too few to be an answer.
contract ShortWallet {
    fallback() external {
        assembly {
            mstore(0, 0x1626ba7e00000000000000000000000000000000000000000000000000000000)
            return(0, 31)
        }
    }
}
