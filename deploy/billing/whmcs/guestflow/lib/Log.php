<?php

declare(strict_types=1);

namespace WHMCS\Module\Server\Guestflow;

/** The module log of WHMCS. What it must not hold is taken out here, and named to WHMCS, which takes it out once more. */
final class Log
{
    /** @var string[] */
    private static $secrets = [];

    /** From now on this is not logged. */
    public static function hide(string $secret): void
    {
        if (strlen($secret) > 0 && !in_array($secret, self::$secrets, true)) {
            self::$secrets[] = $secret;
        }
    }

    /** @param string $answer what came back, or what went wrong */
    public static function write(string $action, string $request, string $answer): void
    {
        if (function_exists('logModuleCall')) {
            logModuleCall('guestflow', $action, self::clean($request), self::clean($answer), '', self::$secrets);
        }
    }

    private static function clean(string $text): string
    {
        // A sign-in link is a secret that comes with an answer.
        return (string) preg_replace('/ticket=[\w-]+/', 'ticket=********', str_replace(self::$secrets, '********', $text));
    }
}
