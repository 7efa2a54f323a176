<?php

declare(strict_types=1);

namespace WHMCS\Module\Server\Guestflow;

/** The plans that guestflow has. */
final class Plans
{
    /**
     * @return array<string, string> name => what it is
     * @throws Failure
     */
    public static function choices(Client $client): array
    {
        $choices = [];
        $plans = $client->get('/v1/plans')['plans'] ?? [];
        foreach (is_array($plans) ? $plans : [] as $plan) {
            $name = is_array($plan) && is_string($plan['name'] ?? null) ? Failure::plain($plan['name']) : '';
            if ($name !== '') {
                $choices[$name] = $name . ': ' . implode(', ', [
                    self::size($plan['memoryBytes'] ?? 0) . ' memory',
                    (int) ($plan['vcpus'] ?? 0) . ' vCPU',
                    self::size($plan['diskBytes'] ?? 0) . ' disk',
                ]);
            }
        }
        if ($choices === []) {
            throw new Failure('guestflow has no plan');
        }
        return $choices;
    }

    /** Asks for all that can be asked without changing anything. */
    public static function tryAll(Client $client): void
    {
        self::choices($client);
        $client->get('/v1/guests?limit=1');
    }

    /** @param mixed $bytes */
    public static function size($bytes): string
    {
        $mebibytes = (is_int($bytes) || is_float($bytes) ? $bytes : 0) / 1048576;
        return $mebibytes >= 1024 ? round($mebibytes / 1024, 1) . ' GiB' : round($mebibytes) . ' MiB';
    }
}
