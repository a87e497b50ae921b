// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {PlainToken} from "./mocks/Tokens.sol";
import {VaultTest} from "./utils/VaultTest.sol";

/// @dev Its issuer can stop all transfers.
contract PausableToken is PlainToken {
    bool public paused;

    constructor() PlainToken(18) {}

    function pause(bool on) external {
        paused = on;
    }

    function _update(address from, address to, uint256 amount) internal override {
        require(!paused || from == address(0), "paused");
        super._update(from, to, amount);
    }
}

/// @dev Says that it holds whatever it was told to say.
contract LyingToken is PlainToken {
    mapping(address account => uint256) private _lies;

    constructor() PlainToken(18) {}

    function lie(address account, uint256 amount) external {
        _lies[account] = amount;
    }

    function balanceOf(address account) public view override returns (uint256) {
        return _lies[account] != 0 ? _lies[account] : super.balanceOf(account);
    }
}

/// @dev Tells sender and recipient about each transfer while it happens, as ERC-777 does.
contract HookToken is PlainToken {
    constructor() PlainToken(18) {}

    function _update(address from, address to, uint256 amount) internal override {
        if (from.code.length != 0) Hooked(from).tokensToSend();
        super._update(from, to, amount);
        if (to.code.length != 0) Hooked(to).tokensReceived();
    }
}

/// @dev Has hooks and uses them to call the vault; the vault itself has none, so its are ignored.
contract Hooked {
    address private immutable _VAULT;
    bytes public data;
    bool public called;
    bool public succeeded;

    constructor(address vault) {
        _VAULT = vault;
    }

    function arm(bytes calldata data_) external {
        data = data_;
    }

    function tokensToSend() external {
        _try();
    }

    function tokensReceived() external {
        _try();
    }

    function run(address target, bytes calldata call) external {
        (bool success,) = target.call(call);
        require(success, "failed");
    }

    function _try() private {
        called = true;
        (succeeded,) = _VAULT.call(data);
    }
}

/// @dev The rest of the zoo: what `unit/Tokens.t.sol` does not have.
contract ZooTest is VaultTest {
    function _prepare(PlainToken token, uint256 amount) private {
        _list(address(token), 3000, false);
        token.mint(alice, amount);
        vm.prank(alice);
        token.approve(address(vault), amount);
    }

    function _deposit(PlainToken token, uint128 amount) private {
        vm.prank(alice);
        vault.deposit(address(token), amount, alice);
    }

    function test_APausedTokenDefersAndIsClaimedLater() public {
        PausableToken token = new PausableToken();
        _prepare(token, 100);
        _deposit(token, 100);
        (Withdrawal memory w, bytes32 id) = _request(alice, address(token), bob, 60);
        token.pause(true);
        _payout(_requestItem(w));
        _assertState(id, State.Deferred);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(PushFailed.selector, token, bob, 60));
        vault.claim(address(token), bob);
        token.pause(false);
        vm.prank(alice);
        vault.claim(address(token), bob);
        assertEq(token.balanceOf(bob), 60);
        assertEq(vault.accounted(address(token)), 40);
    }

    function test_ALyingBalanceCreditsNothing() public {
        LyingToken token = new LyingToken();
        _prepare(token, 100);
        // It claims to have had less before than it had: a lie that stays the same hides all that
        // arrives.
        token.lie(address(vault), 1000);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(ReceivedOtherAmount.selector, token, 100, 0));
        vault.deposit(address(token), 100, alice);
        assertEq(vault.accounted(address(token)), 0);
    }

    function test_ALieAfterTheDepositPaysNoMoreThanThereIs() public {
        LyingToken token = new LyingToken();
        _prepare(token, 100);
        _deposit(token, 100);
        token.lie(address(vault), 1e30);
        (Withdrawal memory w,) = _request(alice, address(token), bob, 101);
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(_requestItem(w)));
        vm.expectRevert(abi.encodeWithSelector(AccountedTooLow.selector, token, 100, 101));
        vault.payout(_requestItem(w), signatures);
    }

    function test_HooksOfARecipientCannotReenter() public {
        HookToken token = new HookToken();
        Hooked hooked = new Hooked(address(vault));
        // The hooks of the vault would be asked too: it has none, so the token must not insist.
        vm.mockCall(address(vault), abi.encodeWithSelector(Hooked.tokensToSend.selector), "");
        vm.mockCall(address(vault), abi.encodeWithSelector(Hooked.tokensReceived.selector), "");
        _prepare(token, 100);
        _deposit(token, 100);
        (Withdrawal memory other,) = _request(alice, address(token), bob, 10);
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(_requestItem(other)));
        hooked.arm(abi.encodeCall(vault.payout, (_requestItem(other), signatures)));
        (Withdrawal memory w, bytes32 id) = _request(alice, address(token), address(hooked), 60);
        _payout(_requestItem(w));
        _assertState(id, State.Paid);
        assertTrue(hooked.called());
        assertFalse(hooked.succeeded());
        assertEq(token.balanceOf(bob), 0);
        assertEq(vault.accounted(address(token)), 40);
    }

    function test_HooksOfASenderCannotReenter() public {
        HookToken token = new HookToken();
        Hooked hooked = new Hooked(address(vault));
        vm.mockCall(address(vault), abi.encodeWithSelector(Hooked.tokensReceived.selector), "");
        _list(address(token), 3000, false);
        token.mint(address(hooked), 100);
        bytes memory deposit = abi.encodeCall(vault.deposit, (address(token), 10, address(hooked)));
        hooked.arm(deposit);
        hooked.run(address(token), abi.encodeCall(token.approve, (address(vault), 100)));
        hooked.run(address(vault), deposit);
        assertTrue(hooked.called());
        assertFalse(hooked.succeeded());
        assertEq(vault.accounted(address(token)), 10);
    }

    function test_DecimalsFrom0To77() public {
        uint8[4] memory decimals = [0, 6, 18, 77];
        for (uint256 i = 0; i < decimals.length; ++i) {
            PlainToken token = new PlainToken(decimals[i]);
            uint32 ledger = uint32(4000 + i);
            vm.expectEmit(true, true, false, false, address(vault));
            emit TokenListed(address(token), ledger, 0, 1, decimals[i], false);
            _list(address(token), ledger, false);
            token.mint(alice, type(uint112).max);
            vm.startPrank(alice);
            token.approve(address(vault), type(uint112).max);
            vault.deposit(address(token), type(uint112).max, alice);
            vm.stopPrank();
            (Withdrawal memory w,) = _request(alice, address(token), bob, type(uint112).max);
            _payout(_requestItem(w));
            assertEq(token.balanceOf(bob), type(uint112).max);
            assertEq(vault.accounted(address(token)), 0);
        }
    }
}
