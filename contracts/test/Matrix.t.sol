// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IPermit2} from "../src/interfaces/IPermit2.sol";
import {IVault} from "../src/interfaces/IVault.sol";
import {Rejecter} from "./mocks/Accounts.sol";
import {FeeToken, PlainToken} from "./mocks/Tokens.sol";
import {
    IAccessControl,
    IAccessControlDefaultAdminRules,
    IMintable,
    VaultTest
} from "./utils/VaultTest.sol";

/// @dev Stands in for Permit2 with every signature good: who may submit is asked here, not who
/// signed.
contract PayingPermit2 {
    function permitWitnessTransferFrom(
        IPermit2.PermitTransferFrom calldata permit,
        IPermit2.SignatureTransferDetails calldata details,
        address,
        bytes32,
        string calldata,
        bytes calldata
    ) external {
        IMintable(permit.permitted.token).mint(details.to, details.requestedAmount);
    }
}

/// @dev Who may call what: every function of the ABI that can change anything, called by everybody.
/// A function that is not in the matrix fails the test.
contract MatrixTest is VaultTest {
    /// @dev Who is let in: everybody, a role, the vault itself, or whom the admin role was offered.
    enum Door {
        Everybody,
        Admin,
        Pauser,
        Guardian,
        Itself,
        Heir
    }

    struct Row {
        string name;
        Door door;
        uint256 value;
        bytes data;
    }

    Row[] private _rows;
    address private constant PERMIT2 = 0x000000000022D473030F116dDEE9F6B43aC78BA3;
    address private _heir = makeAddr("heir");
    address private _stranger = makeAddr("stranger");
    address[] private _callers;
    PlainToken private _other = new PlainToken(18);
    FeeToken private _fee;

    function setUp() public override {
        super.setUp();
        vm.label(address(vault), "vault");
        _callers = [
            admin, pauser, guardian, signerList[0], relayer, alice, _heir, _stranger, address(vault)
        ];
        _depositEther(alice, 900 ether);
        _depositDollar(alice, 1000 * DOLLAR);
        vm.prank(admin);
        vault.listToken(_otherListing());
        _administration();
        _money();
        for (uint256 i = 0; i < _callers.length; ++i) {
            _equip(_callers[i]);
        }
        _offerAdmin();
    }

    /// @dev Everything that a caller needs so that only a refusal of the caller can stop the call.
    function _equip(address caller) private {
        vm.deal(caller, caller.balance + 10 ether);
        dollar.mint(caller, 10 * DOLLAR);
        vm.startPrank(caller);
        dollar.approve(address(vault), type(uint256).max);
        _fee.mint(caller, 100);
        _fee.approve(address(vault), 100);
        uint64 deadline = uint64(block.timestamp) + 1 days;
        address rejecter = address(new Rejecter());
        vault.requestWithdrawal(ETHER, rejecter, 0.001 ether, deadline);
        vm.stopPrank();
        _payout(
            _requestItem(
                Withdrawal(caller, rejecter, ETHER, 0.001 ether, 0, vault.lastSeq(), deadline)
            )
        );
        assertGt(vault.claimable(ETHER, caller), 0);
    }

    function _offerAdmin() private {
        IAccessControlDefaultAdminRules rules = IAccessControlDefaultAdminRules(address(vault));
        vm.startPrank(admin);
        vault.delistToken(address(_other));
        rules.beginDefaultAdminTransfer(_heir);
        vm.stopPrank();
        vm.warp(block.timestamp + 1 days + 1);
        vm.roll(block.number + QUEUE_BLOCKS);
    }

    // ---------------------------------------------------------------- the matrix

    /// @dev A token that was delisted, so that it can be listed.
    function _otherListing() private view returns (IVault.ListingConfig memory listing) {
        listing = _dollarListing();
        listing.token = address(_other);
        listing.ledger = 3001;
    }

    function _add(string memory name, Door door, bytes memory data) private {
        _rows.push(Row(name, door, 0, data));
    }

    function _administration() private {
        IAccessControl control = IAccessControl(address(vault));
        IAccessControlDefaultAdminRules rules = IAccessControlDefaultAdminRules(address(vault));
        _add("listToken", Door.Admin, abi.encodeCall(vault.listToken, (_otherListing())));
        _add("delistToken", Door.Admin, abi.encodeCall(vault.delistToken, (ETHER)));
        _add(
            "setLimits",
            Door.Admin,
            abi.encodeCall(vault.setLimits, (address(dollar), DOLLAR, DOLLAR, 1))
        );
        _add(
            "setPayoutLimits",
            Door.Admin,
            abi.encodeCall(vault.setPayoutLimits, (ETHER, _etherListing().payouts))
        );
        _add("announce", Door.Admin, abi.encodeCall(vault.announce, ("another call")));
        _add("retract", Door.Admin, abi.encodeCall(vault.retract, (keccak256("call"))));
        vm.prank(admin);
        vault.announce("call");
        _add("setSigners", Door.Admin, abi.encodeCall(vault.setSigners, (signerList, 1)));
        _add("unpauseDeposits", Door.Admin, abi.encodeCall(vault.unpauseDeposits, ()));
        _add("unpausePayouts", Door.Admin, abi.encodeCall(vault.unpausePayouts, ()));
        _add("pauseDeposits", Door.Pauser, abi.encodeCall(vault.pauseDeposits, ()));
        _add("pausePayouts", Door.Pauser, abi.encodeCall(vault.pausePayouts, ()));
        _add("grantRole", Door.Admin, abi.encodeCall(control.grantRole, (PAUSER_ROLE, bob)));
        _add("revokeRole", Door.Admin, abi.encodeCall(control.revokeRole, (PAUSER_ROLE, pauser)));
        // To give up one's own role needs no leave; the call names the caller, see _data.
        _add("renounceRole", Door.Everybody, "");
        _add(
            "beginDefaultAdminTransfer",
            Door.Admin,
            abi.encodeCall(rules.beginDefaultAdminTransfer, (bob))
        );
        _add(
            "cancelDefaultAdminTransfer",
            Door.Admin,
            abi.encodeCall(rules.cancelDefaultAdminTransfer, ())
        );
        _add(
            "acceptDefaultAdminTransfer",
            Door.Heir,
            abi.encodeCall(rules.acceptDefaultAdminTransfer, ())
        );
        _add(
            "changeDefaultAdminDelay",
            Door.Admin,
            abi.encodeCall(rules.changeDefaultAdminDelay, (2 days))
        );
        _add(
            "rollbackDefaultAdminDelay",
            Door.Admin,
            abi.encodeCall(rules.rollbackDefaultAdminDelay, ())
        );
    }

    function _money() private {
        _add(
            "disburseTokens",
            Door.Itself,
            abi.encodeCall(vault.disburseTokens, (ETHER, bob, 1 ether))
        );
        _add("depositEther", Door.Everybody, abi.encodeCall(vault.depositEther, (alice)));
        _rows[_rows.length - 1].value = 1 ether;
        _add(
            "deposit",
            Door.Everybody,
            abi.encodeCall(vault.deposit, (address(dollar), DOLLAR, alice))
        );
        FeeToken measured = new FeeToken();
        _list(address(measured), 3000, true);
        _fee = measured;
        _add(
            "depositMeasured",
            Door.Everybody,
            abi.encodeCall(vault.depositMeasured, (address(measured), 100, 1, alice))
        );
        _add(
            "requestWithdrawal",
            Door.Everybody,
            abi.encodeCall(
                vault.requestWithdrawal, (ETHER, bob, 1 ether, uint64(block.timestamp) + 3 days)
            )
        );
        _add(
            "depositWithPermit",
            Door.Everybody,
            abi.encodeCall(
                vault.depositWithPermit, (address(dollar), DOLLAR, alice, 0, 27, bytes32(0), "")
            )
        );
        IVault.SignedTransfer memory signed;
        signed.from = alice;
        vm.etch(PERMIT2, type(PayingPermit2).runtimeCode);
        _add(
            "depositWithPermit2",
            Door.Everybody,
            abi.encodeCall(vault.depositWithPermit2, (address(dollar), DOLLAR, alice, signed))
        );
        _add("claim", Door.Everybody, abi.encodeCall(vault.claim, (ETHER, bob)));
        _add("invalidateNonce", Door.Everybody, abi.encodeCall(vault.invalidateNonce, (7)));
        _tickets();
    }

    /// @dev What carries the signers' or the owner's leave needs none from the caller.
    function _tickets() private {
        PayoutItem[] memory items = new PayoutItem[](1);
        items[0] = _requestItem(_longRequest());
        bytes32 root = _payoutLeaf(items[0]);
        bytes[] memory signatures = _payoutQuorum(root);
        _add("payout", Door.Everybody, abi.encodeCall(vault.payout, (items[0], signatures)));
        _add(
            "payoutBatch",
            Door.Everybody,
            abi.encodeCall(vault.payoutBatch, (items, root, signatures))
        );
        RefusalItem[] memory refusals = new RefusalItem[](1);
        refusals[0] = _refusalItem(Kind.Request, _longRequest(), RefusalReason.Operator);
        root = _refusalLeaf(refusals[0]);
        signatures = _refusalQuorum(root);
        _add("refuse", Door.Everybody, abi.encodeCall(vault.refuse, (refusals[0], signatures)));
        _add(
            "refuseBatch",
            Door.Everybody,
            abi.encodeCall(vault.refuseBatch, (refusals, root, signatures))
        );
        Withdrawal memory queued = _largeRequest();
        _add("veto", Door.Guardian, abi.encodeCall(vault.veto, (Kind.Request, queued)));
        _add("finalize", Door.Everybody, abi.encodeCall(vault.finalize, (Kind.Request, queued)));
        (Withdrawal memory expired,) = _request(bob, ETHER, bob, 1 ether);
        _add(
            "cancelExpired",
            Door.Everybody,
            abi.encodeCall(vault.cancelExpired, (Kind.Request, expired))
        );
    }

    function _longRequest() private returns (Withdrawal memory w) {
        w = Withdrawal(alice, bob, ETHER, 1 ether, 0, 0, uint64(block.timestamp) + 3 days);
        vm.prank(alice);
        vault.requestWithdrawal(ETHER, bob, 1 ether, w.deadline);
        w.nonce = vault.lastSeq();
    }

    /// @dev One that waits in the queue.
    function _largeRequest() private returns (Withdrawal memory w) {
        (w,) = _request(bob, ETHER, bob, 500 ether);
        _payout(_requestItem(w));
    }

    // ---------------------------------------------------------------- the tests

    function test_EveryFunctionThatChangesAnythingIsInTheMatrix() public view {
        string memory json = vm.readFile("contracts/abi/Vault.json");
        string memory changing =
            "$[?(@.type=='function' && @.stateMutability!='view' && @.stateMutability!='pure')].name";
        string[] memory names = abi.decode(vm.parseJson(json, changing), (string[]));
        for (uint256 i = 0; i < names.length; ++i) {
            uint256 rows = 0;
            for (uint256 j = 0; j < _rows.length; ++j) {
                if (_same(names[i], _rows[j].name)) ++rows;
            }
            assertEq(rows, 1, names[i]);
        }
        assertEq(names.length, _rows.length);
    }

    function test_EverybodyAtEveryDoor() public {
        for (uint256 i = 0; i < _rows.length; ++i) {
            for (uint256 j = 0; j < _callers.length; ++j) {
                // The vault calls nothing but its own door.
                if (_callers[j] == address(vault) && _rows[i].door == Door.Everybody) continue;
                uint256 snapshot = vm.snapshotState();
                _knock(_rows[i], _callers[j]);
                vm.revertToState(snapshot);
            }
        }
    }

    /// @dev The plain transfer of ether is no function of the ABI, and nobody may.
    function test_NobodySendsPlainEther() public {
        for (uint256 j = 0; j < _callers.length; ++j) {
            vm.prank(_callers[j]);
            (bool success, bytes memory answer) = address(vault).call{value: 1 ether}("");
            assertFalse(success);
            assertEq(bytes4(answer), UseDepositEther.selector);
        }
    }

    function _knock(Row storage row, address caller) private {
        string memory cell = string.concat(row.name, " by ", vm.getLabel(caller));
        bytes memory data = _data(row, caller);
        vm.prank(caller);
        (bool success, bytes memory answer) = address(vault).call{value: row.value}(data);
        if (_isLetIn(row.door, caller)) {
            assertTrue(success, cell);
        } else {
            assertFalse(success, cell);
            assertEq(answer, _refusal(row.door, caller), cell);
        }
    }

    function _data(Row storage row, address caller) private view returns (bytes memory) {
        if (!_same(row.name, "renounceRole")) return row.data;
        return abi.encodeCall(IAccessControl.renounceRole, (PAUSER_ROLE, caller));
    }

    function _isLetIn(Door door, address caller) private view returns (bool) {
        if (door == Door.Admin) return caller == admin;
        if (door == Door.Pauser) return caller == pauser;
        if (door == Door.Guardian) return caller == guardian;
        if (door == Door.Itself) return caller == address(vault);
        if (door == Door.Heir) return caller == _heir;
        return true;
    }

    function _refusal(Door door, address caller) private pure returns (bytes memory) {
        if (door == Door.Itself) return abi.encodeWithSelector(OnlyVault.selector, caller);
        if (door == Door.Heir) {
            return abi.encodeWithSelector(
                IAccessControlDefaultAdminRules.AccessControlInvalidDefaultAdmin.selector, caller
            );
        }
        bytes32 role = door == Door.Pauser ? PAUSER_ROLE : ADMIN_ROLE;
        if (door == Door.Guardian) role = GUARDIAN_ROLE;
        return abi.encodeWithSelector(
            IAccessControl.AccessControlUnauthorizedAccount.selector, caller, role
        );
    }

    function _same(string memory a, string memory b) private pure returns (bool) {
        return keccak256(bytes(a)) == keccak256(bytes(b));
    }
}
