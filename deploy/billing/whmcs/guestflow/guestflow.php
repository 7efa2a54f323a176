<?php
/**
 * guestflow for WHMCS: sells Xen guests that guestflow makes and keeps. docs/whmcs.md says how it is set up, and what each function does.
 *
 * WHMCS calls the functions of this file by their names. Each answers within about ten seconds: as soon as guestflow has durably taken what is
 * asked for. What is a customer's or an admin's to read is a sentence; what WHMCS logs holds no password, no hash and no token.
 *
 * PHP 7.4 or later, with curl and json.
 */

declare(strict_types=1);

use WHMCS\Module\Server\Guestflow\Buttons;
use WHMCS\Module\Server\Guestflow\Call;
use WHMCS\Module\Server\Guestflow\Failure;
use WHMCS\Module\Server\Guestflow\Plans;
use WHMCS\Module\Server\Guestflow\Provisioning;
use WHMCS\Module\Server\Guestflow\Usage;
use WHMCS\Module\Server\Guestflow\View;

if (!defined('WHMCS')) {
    die('This file cannot be accessed directly');
}

foreach (['Failure', 'Params', 'Log', 'Client', 'Guests', 'Order', 'Provisioning', 'Plans', 'Buttons', 'View', 'Usage', 'Call'] as $guestflowClass) {
    require_once __DIR__ . '/lib/' . $guestflowClass . '.php';
}

/** @return array<string, mixed> */
function guestflow_MetaData(): array
{
    return [
        'DisplayName' => 'guestflow',
        'APIVersion' => '1.1',
        'RequiresServer' => true,
        'DefaultNonSSLPort' => '8480',
        'DefaultSSLPort' => '443',
        'ServiceSingleSignOnLabel' => 'Manage the server',
    ];
}

/**
 * Settings of a product. Their order is the number of `configoptionN`: it never changes.
 *
 * @return array<string, array<string, mixed>>
 */
function guestflow_ConfigOptions(): array
{
    return [
        'plan' => [
            'FriendlyName' => 'Plan',
            'Type' => 'text',
            'Size' => '32',
            'Loader' => 'guestflow_PlanLoader',
            'SimpleMode' => true,
            'Description' => 'Name of a plan of guestflow.',
        ],
        'dist' => [
            'FriendlyName' => 'Distribution',
            'Type' => 'text',
            'Size' => '16',
            'SimpleMode' => true,
            'Description' => 'Like bookworm. Empty: that of the plan. An option or custom field "Distribution" comes first.',
        ],
        'restart' => [
            'FriendlyName' => 'Restart for a change of plan',
            'Type' => 'yesno',
            'Default' => 'on',
            'SimpleMode' => true,
            'Description' => 'A running guest may be restarted when its package changes. Without it, a change that needs a restart is refused.',
        ],
        'password' => [
            'FriendlyName' => 'Root password',
            'Type' => 'yesno',
            'Default' => 'on',
            'SimpleMode' => true,
            'Description' => 'Root may log in with the password of the service. Without it, only by the key of a custom field "SSH key".',
        ],
        'passwordRestart' => [
            'FriendlyName' => 'Restart for a new password',
            'Type' => 'yesno',
            'Default' => 'on',
            'SimpleMode' => true,
            'Description' => 'A running guest may be restarted when its password changes. Without it, it must be shut down first.',
        ],
    ];
}

/**
 * The plans, for the setting of that name.
 *
 * @param array<mixed> $params
 * @return array<string, string> name => what it is
 * @throws Failure which WHMCS shows
 */
function guestflow_PlanLoader(array $params): array
{
    return Plans::choices(Call::clientOf($params));
}

/**
 * @param array<mixed> $params
 * @return array{success: bool, error: string}
 */
function guestflow_TestConnection(array $params): array
{
    $problem = Call::run(__FUNCTION__, static function () use ($params): void {
        Plans::tryAll(Call::clientOf($params));
    });
    return ['success' => $problem === 'success', 'error' => $problem === 'success' ? '' : $problem];
}

/** @param array<mixed> $params */
function guestflow_CreateAccount(array $params): string
{
    return Call::forService(__FUNCTION__, $params, static function (Provisioning $service): void {
        $service->create();
    });
}

/** @param array<mixed> $params */
function guestflow_SuspendAccount(array $params): string
{
    return Call::forService(__FUNCTION__, $params, static function (Provisioning $service): void {
        $service->operate('suspend');
    });
}

/** @param array<mixed> $params */
function guestflow_UnsuspendAccount(array $params): string
{
    return Call::forService(__FUNCTION__, $params, static function (Provisioning $service): void {
        $service->operate('resume');
    });
}

/** @param array<mixed> $params */
function guestflow_TerminateAccount(array $params): string
{
    return Call::forService(__FUNCTION__, $params, static function (Provisioning $service): void {
        $service->terminate();
    });
}

/** @param array<mixed> $params */
function guestflow_ChangePackage(array $params): string
{
    return Call::forService(__FUNCTION__, $params, static function (Provisioning $service): void {
        $service->changePlan();
    });
}

/**
 * WHMCS sends the new password, and keeps it if the answer is a success.
 *
 * @param array<mixed> $params
 */
function guestflow_ChangePassword(array $params): string
{
    return Call::forService(__FUNCTION__, $params, static function (Provisioning $service): void {
        $service->changePassword();
    });
}

/** @param array<mixed> $params */
function guestflow_Renew(array $params): string
{
    return Call::forService(__FUNCTION__, $params, static function (Provisioning $service): void {
        $service->mustBeThere();
    });
}

/** @return array<string, string> */
function guestflow_AdminCustomButtonArray(): array
{
    return Buttons::ofAdmin();
}

/** @return array<string, string> */
function guestflow_ClientAreaCustomButtonArray(): array
{
    return Buttons::ofCustomer();
}

/** @param array<mixed> $params */
function guestflow_start(array $params): string
{
    return Buttons::press('start', $params);
}

/** @param array<mixed> $params */
function guestflow_stop(array $params): string
{
    return Buttons::press('stop', $params);
}

/** @param array<mixed> $params */
function guestflow_reboot(array $params): string
{
    return Buttons::press('reboot', $params);
}

/** @param array<mixed> $params */
function guestflow_reinstall(array $params): string
{
    return Buttons::press('reinstall', $params);
}

/** @param array<mixed> $params */
function guestflow_rescue(array $params): string
{
    return Buttons::press('rescue', $params);
}

/** @param array<mixed> $params */
function guestflow_unrescue(array $params): string
{
    return Buttons::press('unrescue', $params);
}

/** @param array<mixed> $params */
function guestflow_backup(array $params): string
{
    return Buttons::press('backup', $params);
}

/**
 * @param array<mixed> $params
 * @return array<string, mixed>
 */
function guestflow_ClientArea(array $params): array
{
    return [
        'tabOverviewModuleOutputTemplate' => 'templates/overview.tpl',
        'templateVariables' => ['guestflow' => View::ofCustomer($params)],
    ];
}

/**
 * @param array<mixed> $params
 * @return array<string, string> HTML
 */
function guestflow_AdminServicesTabFields(array $params): array
{
    return View::ofAdmin($params);
}

/**
 * Daily, once for each server: sizes of disks, addresses, and traffic.
 *
 * @param array<mixed> $params
 */
function guestflow_UsageUpdate(array $params): string
{
    return Call::run(__FUNCTION__, static function () use ($params): void {
        Usage::update($params);
    });
}

/**
 * The customer's page, signed in: WHMCS sends the customer's browser there.
 *
 * @param array<mixed> $params
 * @return array{success: bool, redirectTo?: string, errorMsg?: string}
 */
function guestflow_ServiceSingleSignOn(array $params): array
{
    $url = '';
    $answer = Call::forService(__FUNCTION__, $params, static function (Provisioning $service) use (&$url): void {
        $url = $service->signInLink();
    });
    return $answer === 'success' ? ['success' => true, 'redirectTo' => $url] : ['success' => false, 'errorMsg' => $answer];
}
