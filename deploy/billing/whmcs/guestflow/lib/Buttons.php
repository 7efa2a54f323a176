<?php

declare(strict_types=1);

namespace WHMCS\Module\Server\Guestflow;

/**
 * Buttons of a service: for each its label, the route of `/v1` behind it, and for how many seconds of the clock a second press counts as the
 * same (0: never). A row here needs a function of its name in guestflow.php.
 */
final class Buttons
{
    private const ALL = [
        'start' => ['Start', 'start', 0],
        'stop' => ['Shut down', 'stop', 0],
        'reboot' => ['Reboot', 'reboot', 60],
        'reinstall' => ['Reinstall', 'reinstall', 60],
        'rescue' => ['Rescue system', 'rescue', 60],
        'unrescue' => ['Leave the rescue system', 'unrescue', 60],
        'backup' => ['Back up now', 'backup', 300],
    ];

    /** A module cannot have WHMCS ask before it calls a button's function. Customers have these on the customer's page of guestflow, which asks. */
    private const OF_ADMIN_ONLY = ['Reinstall', 'Rescue system', 'Leave the rescue system'];

    /** @return array<string, string> label => function */
    public static function ofAdmin(): array
    {
        return array_flip(array_map(static function (array $button): string {
            return $button[0];
        }, self::ALL));
    }

    /**
     * WHMCS calls for a customer only functions that are named here.
     *
     * @return array<string, string> label => function
     */
    public static function ofCustomer(): array
    {
        return array_diff_key(self::ofAdmin(), array_flip(self::OF_ADMIN_ONLY));
    }

    /** @param array<mixed> $params */
    public static function press(string $name, array $params): string
    {
        return Call::forService('guestflow_' . $name, $params, static function (Provisioning $service) use ($name): void {
            [, $path, $seconds] = self::ALL[$name];
            $service->operate($path, $seconds === 0 ? null : "whmcs-$name-" . intdiv(time(), $seconds));
        });
    }
}
