<?php

declare(strict_types=1);

namespace WHMCS\Module\Server\Guestflow;

/** What customers and admins see of a service. A page is shown whatever guestflow says. */
final class View
{
    private const BACKUPS = 5;
    private const OPERATIONS = 5;
    /** Seconds: a person waits for the page. */
    private const SECONDS = 5;

    /** What a customer reads, by phase. */
    private const STATES = [
        'ordered' => 'being set up',
        'provisioning' => 'being set up',
        'running' => 'running',
        'stopped' => 'switched off',
        'suspended' => 'suspended',
        'rescue' => 'in the rescue system',
        'terminating' => 'cancelled',
        'gone' => 'removed',
        'failed' => 'could not be set up; we take care of it',
        'needs-cleanup' => 'under maintenance',
    ];

    /** By what is known of a backup. */
    private const KNOWN = [
        'taken' => 'not checked yet',
        'verified' => 'checked',
        'proven' => 'proven: a server was started from it',
        'unusable' => 'unusable',
    ];

    /**
     * Variables of templates/overview.tpl, which escapes each.
     *
     * @param array<mixed> $params
     * @return array<string, mixed>
     */
    public static function ofCustomer(array $params): array
    {
        $view = ['isKnown' => false, 'state' => 'not set up yet', 'backups' => []];
        $problem = Call::run('guestflow_ClientArea', static function () use ($params, &$view): void {
            [$guest, $client, $guests, $life] = self::look($params);
            if ($guest !== null) {
                $view = self::facts($guest) + ['backups' => self::backups($client, $guests->nameOf($life))];
            }
        });
        if ($problem !== 'success') {
            return ['isKnown' => false, 'state' => 'cannot be shown at the moment; please try again later', 'backups' => []];
        }
        return $view;
    }

    /**
     * @param array<mixed> $params
     * @return array<string, string> label => HTML
     */
    public static function ofAdmin(array $params): array
    {
        $rows = [];
        $problem = Call::run('guestflow_AdminServicesTabFields', static function () use ($params, &$rows): void {
            [$guest, $client, $guests, $life] = self::look($params);
            $name = $guests->nameOf($life);
            $rows['Guest'] = $name . ($guest === null ? ': none yet' : '');
            if ($guest !== null) {
                $rows += self::adminFacts($guest) + ['Last operations' => self::operations($client, $name)];
            }
        });
        if ($problem !== 'success') {
            $rows['guestflow'] = $problem;
        }
        return array_map(static function (string $text): string {
            return nl2br(htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8'), false);
        }, array_filter($rows, 'strlen'));
    }

    /**
     * @param array<mixed> $params
     * @return array{?array<mixed>, Client, Guests, int}
     */
    private static function look(array $params): array
    {
        $client = Call::clientOf($params, self::SECONDS);
        $read = new Params($params);
        $guests = new Guests($client, $read);
        [$life, $guest] = $guests->current();
        $ip = self::text($guest ?? [], 'ip');
        if ($ip !== '' && ($read->model()->dedicatedip ?? '') !== $ip) {
            $guests->keep($life, ['Dedicated IP' => $ip]);
        }
        return [$guest, $client, $guests, $life];
    }

    /**
     * @param array<mixed> $guest
     * @return array<string, mixed>
     */
    private static function facts(array $guest): array
    {
        $phase = self::text($guest, 'phase');
        return [
            'isKnown' => true,
            'phase' => $phase,
            'state' => self::STATES[$phase] ?? $phase,
            'hostname' => self::text($guest, 'hostname'),
            'ip' => self::text($guest, 'ip'),
            'plan' => self::text($guest, 'plan'),
            'memory' => isset($guest['memoryBytes']) ? Plans::size($guest['memoryBytes']) : '',
            'vcpus' => (string) (is_int($guest['vcpus'] ?? null) ? $guest['vcpus'] : ''),
            'disk' => isset($guest['diskBytes']) ? Plans::size($guest['diskBytes']) : '',
            'working' => self::text(is_array($guest['operation'] ?? null) ? $guest['operation'] : [], 'kind'),
            'graceUntil' => $phase === 'terminating' ? self::time(self::text($guest, 'graceUntil')) : '',
        ];
    }

    /**
     * @param array<mixed> $guest
     * @return array<string, string>
     */
    private static function adminFacts(array $guest): array
    {
        $error = is_array($guest['error'] ?? null) ? $guest['error'] : [];
        $warnings = is_array($guest['warnings'] ?? null) ? array_filter($guest['warnings'], 'is_string') : [];
        return [
            'State' => trim(self::text($guest, 'phase') . ' ' . self::text(is_array($guest['operation'] ?? null) ? $guest['operation'] : [], 'kind')),
            'Address' => self::text($guest, 'ip'),
            'Plan' => self::text($guest, 'plan'),
            'Dom0' => self::text($guest, 'dom0'),
            'Can be taken back until' => self::text($guest, 'graceUntil'),
            'Error' => trim(self::text($error, 'type') . ' ' . self::text($error, 'message')),
            'Warnings' => implode("\n", $warnings),
        ];
    }

    /** @return array<int, array<string, string>> newest first */
    private static function backups(Client $client, string $name): array
    {
        $all = $client->get("/v1/guests/$name/backups")['backups'] ?? [];
        return array_map(static function (array $backup): array {
            $state = self::text($backup, 'state');
            return [
                'takenAt' => self::time(self::text($backup, 'takenAt')),
                'size' => Plans::size($backup['bytes'] ?? 0),
                'state' => self::KNOWN[$state] ?? $state,
                'mark' => $state,
            ];
        }, array_slice(array_filter(is_array($all) ? $all : [], 'is_array'), 0, self::BACKUPS));
    }

    private static function operations(Client $client, string $name): string
    {
        $all = $client->get("/v1/guests/$name/operations")['operations'] ?? [];
        return implode("\n", array_map(static function (array $one): string {
            return trim(self::text($one, 'startedAt') . ' ' . self::text($one, 'kind') . ' ' . self::text($one, 'state'));
        }, array_slice(array_filter(is_array($all) ? $all : [], 'is_array'), 0, self::OPERATIONS)));
    }

    /** @param array<mixed> $of */
    private static function text(array $of, string $key): string
    {
        return is_string($of[$key] ?? null) ? $of[$key] : '';
    }

    /** `2026-11-30 02:00 UTC` of a time as guestflow writes it. */
    private static function time(string $iso): string
    {
        return preg_match('/^([0-9-]{10})T([0-9:]{5})/', $iso, $part) === 1 ? $part[1] . ' ' . $part[2] . ' UTC' : '';
    }
}
