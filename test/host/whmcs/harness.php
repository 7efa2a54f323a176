<?php
/**
 * Calls one function of the module as WHMCS does. Standard input: a JSON document with `call`, `params`, and what WHMCS keeps: `properties` of
 * the service, `rows` of tblhosting, or `render` for the template. Standard output: what came back, what was kept and logged. A warning of PHP ends it.
 */

declare(strict_types=1);

namespace {
    set_error_handler(static function (int $level, string $message, string $file, int $line): bool {
        fwrite(STDERR, "$message at $file:$line\n");
        exit(3);
    });

    const WHMCS = true;

    final class Kept
    {
        /** @var array<string, string> */
        public $properties;

        public function __construct(array $properties)
        {
            $this->properties = $properties;
        }

        public function get(string $name): string
        {
            return $this->properties[$name] ?? '';
        }

        public function save(array $properties): void
        {
            $this->properties = array_merge($this->properties, $properties);
        }
    }

    $log = [];

    function logModuleCall($module, $action, $request, $response, $processed = '', $replace = [])
    {
        global $log;
        $log[] = [$module, $action, $request, $response, $processed];
    }
}

namespace WHMCS\Database {
    /** As much of a query as the module asks for; anything else has no method, and ends it. */
    final class Capsule
    {
        /** @var array<int, array<string, mixed>> */
        public static $rows = [];
        /** @var callable[] */
        private $conditions = [];
        private $order = 'id';

        public static function table(string $name): self
        {
            assert($name === 'tblhosting');
            return new self();
        }

        public function where(string $column, $value): self
        {
            return $this->whereIn($column, [$value]);
        }

        public function whereIn(string $column, array $values): self
        {
            $this->conditions[] = static function (array $row) use ($column, $values): bool {
                return in_array($row[$column], $values, true);
            };
            return $this;
        }

        public function orderBy(string $column): self
        {
            $this->order = $column;
            return $this;
        }

        public function pluck(string $column): array
        {
            $rows = array_intersect_key(self::$rows, array_flip($this->found()));
            usort($rows, function (array $one, array $other): int {
                return $one[$this->order] <=> $other[$this->order];
            });
            return array_column($rows, $column);
        }

        public function update(array $fields): int
        {
            foreach ($this->found() as $index) {
                self::$rows[$index] = array_merge(self::$rows[$index], $fields);
            }
            return count($this->found());
        }

        private function found(): array
        {
            return array_keys(array_filter(self::$rows, function (array $row): bool {
                foreach ($this->conditions as $holds) {
                    if (!$holds($row)) {
                        return false;
                    }
                }
                return true;
            }));
        }
    }
}

namespace {
    /** JSON has no bytes that are no text: they come as {"bytes": BASE64}. */
    function withBytes($value)
    {
        if (!is_array($value)) {
            return $value;
        }
        return array_keys($value) === ['bytes'] ? base64_decode($value['bytes']) : array_map('withBytes', $value);
    }

    $asked = json_decode(stream_get_contents(STDIN), true, 512, JSON_THROW_ON_ERROR);
    $params = withBytes($asked['params'] ?? []);
    $kept = new Kept($asked['properties'] ?? []);
    if (isset($asked['properties'])) {
        $params['model'] = (object) ['serviceProperties' => $kept, 'dedicatedip' => $asked['dedicatedip'] ?? ''];
    }
    WHMCS\Database\Capsule::$rows = $asked['rows'] ?? [];
    $module = $asked['module'];
    require "$module/guestflow.php";
    $started = microtime(true);
    if (isset($asked['render'])) {
        require_once '/usr/share/php/smarty4/Smarty.class.php';
        $smarty = new Smarty();
        $smarty->setCompileDir($asked['scratch']);
        $smarty->assign('guestflow', $asked['render']);
        $result = $smarty->fetch("$module/templates/overview.tpl");
    } else {
        $function = 'guestflow_' . $asked['call'];
        try {
            $lists = ['MetaData', 'ConfigOptions', 'AdminCustomButtonArray', 'ClientAreaCustomButtonArray'];
            $result = in_array($asked['call'], $lists, true) ? $function() : $function($params);
        } catch (WHMCS\Module\Server\Guestflow\Failure $failure) {
            // A loader tells by an exception.
            $result = ['thrown' => $failure->getMessage()];
        }
    }
    echo json_encode([
        'result' => $result,
        'seconds' => microtime(true) - $started,
        'properties' => (object) $kept->properties,
        'rows' => WHMCS\Database\Capsule::$rows,
        'log' => $log,
    ], JSON_THROW_ON_ERROR);
}
